"""Pictures and videos of what changes over time."""

from .causes_plot import plot_flicker_causes
from .comparison_video import write_comparison_video
from .display import tone_map
from .flicker_report import Report, plot_measurement, report_videos, write_report
from .page_recorder import PageRecorder
from .steady_plot import plot_steady
from .temporal_plot import plot_temporal_comparison

__all__ = [
    "PageRecorder",
    "Report",
    "plot_flicker_causes",
    "plot_measurement",
    "plot_steady",
    "plot_temporal_comparison",
    "report_videos",
    "tone_map",
    "write_comparison_video",
    "write_report",
]
