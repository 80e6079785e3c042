"""Installs mmtempreg, with configs and tools under mmtempreg/.mim as OpenMMLab's `mim` expects."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION: dict = {}
exec((ROOT / "mmtempreg" / "version.py").read_text(), VERSION)


class BuildWithMim(build_py):
    """Links .mim in an editable install, so that edits show at once; copies it into a wheel."""

    CONTENTS = ("configs", "tools", "checkpoints", "resources/hdr", "model-index.yml")
    """What configs name goes along; weights of others that lie in `checkpoints` do not."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            target = ROOT / "mmtempreg" / ".mim"
        else:
            target = Path(self.build_lib) / "mmtempreg" / ".mim"
        target.mkdir(parents=True, exist_ok=True)
        for name in self.CONTENTS:
            source, link = ROOT / name, target / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_symlink() or link.is_file():
                link.unlink()
            elif link.is_dir():
                shutil.rmtree(link)
            if self.editable_mode:
                link.symlink_to(os.path.relpath(source, link.parent))
            elif source.is_dir():
                shutil.copytree(source, link, ignore=shutil.ignore_patterns("__pycache__", "realesrgan*", "*.log"))
            else:
                shutil.copy(source, link)


setup(
    name="mmtempreg",
    version=VERSION["__version__"],
    description="Temporally stable image-to-image CNNs for MMagic, trained on single frames",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["mmtempreg", "mmtempreg.*"]),
    package_data={"mmtempreg": ["py.typed"], "mmtempreg.visualization": ["page/*"]},
    install_requires=(ROOT / "requirements" / "runtime.txt").read_text().split(),
    cmdclass={"build_py": BuildWithMim},
)
