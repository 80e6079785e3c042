"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const pictures = data.pictures;
  const $ = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const seconds = (frame) => `${(frame / data.rate).toFixed(2)} s`;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const CHART_HEIGHT = 210;
  const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];
  const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const colour = (name) => {
    const number = data.names.indexOf(name) - (data.hasReference ? 1 : 0);
    return number < 0 ? themed("--soft") : COLOURS[number % COLOURS.length];
  };
  const shownFrames = pictures ? pictures.frames : data.frames;
  const lastFrame = shownFrames - 1;
  const state = { frame: 0, playing: false, loopFrom: null, zoom: 1, x: 0.5, y: 0.5, pixel: null };
  const charts = [];

  // ------------------------------------------------------------ time

  let video = null;
  let wanted = null; // the frame that is sought while another is being sought

  function seek(frame) {
    state.frame = clamp(Math.round(frame), 0, Math.max(data.frames - 1, 0));
    if (state.loopFrom !== null && !inLoop(state.frame)) state.loopFrom = state.frame;
    if (video && state.frame <= lastFrame) {
      if (video.seeking) wanted = state.frame;
      else video.currentTime = (state.frame + 0.5) / data.rate;
    }
    told();
  }
  const loopLength = () => Math.max(2, Math.round(data.rate));
  const inLoop = (frame) => frame >= state.loopFrom && frame < state.loopFrom + loopLength();

  function play(on) {
    if (!video || on === state.playing) return;
    state.playing = on;
    if (on) {
      if (state.frame >= lastFrame) seek(0);
      video.playbackRate = Number($("speed").value);
      video.play();
      requestAnimationFrame(tick);
    } else {
      video.pause();
      seek(state.frame);
    }
    $("play").textContent = on ? "❚❚" : "▶\uFE0E";
    $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  }

  function tick() {
    if (!state.playing) return;
    const frame = clamp(Math.floor(video.currentTime * data.rate + 1e-3), 0, lastFrame);
    if (state.loopFrom !== null && (frame >= state.loopFrom + loopLength() || frame >= lastFrame)) {
      video.currentTime = (state.loopFrom + 0.5) / data.rate;
      if (video.paused) video.play();
    } else if (video.ended) {
      play(false);
      return;
    } else if (frame !== state.frame && !video.seeking) {
      state.frame = frame;
      told();
    }
    draw();
    requestAnimationFrame(tick);
  }

  /** All that depends on the frame, but for the pictures, which come when the video has them. */
  function told() {
    if (pictures) {
      $("seek").value = state.frame;
      const text = `${seconds(state.frame)}, frame ${state.frame} of 0–${data.frames - 1}`;
      $("time").textContent = text;
      $("seek").setAttribute("aria-valuetext", text);
    }
    for (const { plot } of charts) {
      plot.redraw(false);
      legendAtPlayhead(plot);
    }
  }

  // ------------------------------------------------------------ pictures

  const panes = [];
  const splitLine = $("split"); // lies over the picture
  // drawn at 960 pixels at least: lines stay thin on small pictures
  const sharpness = pictures ? Math.max(1, Math.ceil(960 / pictures.tileWidth)) : 1;

  function tileOf(number) {
    const { columns, tileWidth, tileHeight } = pictures;
    return [(number % columns) * tileWidth, Math.floor(number / columns) * tileHeight];
  }

  function layOut() {
    const split = $("mode").value === "split";
    $("split-choice").hidden = !split;
    $("side-choice").hidden = split || pictures.videos === 1;
    panes.length = 0;
    if (split) {
      panes.push({ left: Number($("left").value), right: Number($("right").value) });
    } else {
      for (const box of $("side-choice").querySelectorAll("input:checked")) panes.push({ left: Number(box.value), right: null });
    }
    const columns = Math.ceil(Math.sqrt(panes.length)) || 1, rows = Math.ceil(panes.length / columns);
    $("panes").style.setProperty("--columns", columns);
    $("stage").style.setProperty("--shape", pictures.tileWidth / pictures.tileHeight * columns / rows);
    $("panes").replaceChildren(...panes.map((pane) => {
      pane.canvas = make("canvas", { role: "img", width: sharpness * pictures.tileWidth, height: sharpness * pictures.tileHeight });
      listen(pane);
      const names = pane.right === null ? data.names[pane.left] : `${data.names[pane.left]} | ${data.names[pane.right]}`;
      const picture = make("div", { class: "picture" }, pane.canvas, ...(split ? [splitLine] : []));
      return make("figure", {}, picture, make("figcaption", {}, names));
    }));
    draw();
  }

  const visible = () => { // the part of a tile that is shown
    const { tileWidth, tileHeight } = pictures;
    const width = tileWidth / state.zoom, height = tileHeight / state.zoom;
    return { width, height, x: clamp(state.x * tileWidth - width / 2, 0, tileWidth - width), y: clamp(state.y * tileHeight - height / 2, 0, tileHeight - height) };
  };

  function draw() {
    if (!video || video.readyState < 2) return;
    const { tileWidth, tileHeight } = pictures;
    const part = visible(), heat = $("heat").checked;
    $("heat-scale").hidden = !heat;
    for (const pane of panes) {
      const canvas = pane.canvas, context = canvas.getContext("2d");
      const unit = tileWidth / (canvas.clientWidth || tileWidth); // of the page; marks have two colours, seen on any ground
      canvas.classList.toggle("enlarged", state.zoom > 1);
      context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
      context.imageSmoothingEnabled = state.zoom <= 1;
      const put = (number, from, to) => { // columns from .. to of the canvas
        const [x, y] = tileOf(number + (heat ? pictures.videos : 0)), scale = part.width / tileWidth;
        context.drawImage(video, x + part.x + from * scale, y + part.y, (to - from) * scale, part.height, from, 0, to - from, tileHeight);
      };
      const edge = pane.right === null ? tileWidth : Math.round(sharpness * tileWidth * splitLine.value / 1000) / sharpness;
      if (edge > 0) put(pane.left, 0, edge);
      if (pane.right !== null && edge < tileWidth) put(pane.right, edge, tileWidth);
      if (pane.right !== null) {
        for (const [fill, half] of [["#0008", 2 * unit], ["#fff", unit]]) {
          context.fillStyle = fill;
          context.fillRect(edge - half, 0, 2 * half, tileHeight);
        }
      }
      if (state.pixel) {
        const [px, py] = state.pixel;
        const x = ((px + 0.5) / data.size[0] * tileWidth - part.x) * state.zoom, y = ((py + 0.5) / data.size[1] * tileHeight - part.y) * state.zoom;
        for (const [stroke, width] of [["#000", 2.5 * unit], ["#fff", unit]]) {
          Object.assign(context, { strokeStyle: stroke, lineWidth: width });
          context.strokeRect(x - 5 * unit, y - 5 * unit, 10 * unit, 10 * unit);
        }
      }
      const what = pane.right === null ? data.names[pane.left] : `${data.names[pane.left]} left, ${data.names[pane.right]} right`;
      canvas.setAttribute("aria-label", `${what}, frame ${state.frame}${heat ? ", heat map" : ""}`);
      canvas.dataset.frame = state.frame;
    }
  }

  function listen(pane) {
    let from = null, moved = false, onLine = false;
    const at = (event) => {
      const box = pane.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    const near = (event) => pane.right !== null && Math.abs(at(event)[0] - splitLine.value / 1000) * pane.canvas.clientWidth < 12;
    pane.canvas.addEventListener("pointerdown", (event) => {
      pane.canvas.setPointerCapture(event.pointerId);
      from = at(event);
      moved = false;
      onLine = near(event) || pane.right !== null && state.zoom === 1;
    });
    pane.canvas.addEventListener("pointermove", (event) => {
      if (!from) {
        pane.canvas.classList.toggle("on-line", near(event));
        return;
      }
      const now = at(event);
      if (Math.hypot(now[0] - from[0], now[1] - from[1]) > 0.01) moved = true;
      if (!moved) return;
      if (onLine) splitLine.value = Math.round(1000 * now[0]);
      else if (state.zoom > 1) {
        state.x = clamp(state.x - (now[0] - from[0]) / state.zoom, 0, 1);
        state.y = clamp(state.y - (now[1] - from[1]) / state.zoom, 0, 1);
        from = now;
      }
      draw();
    });
    pane.canvas.addEventListener("pointerup", (event) => {
      if (from && !moved) {
        const part = visible(), now = at(event);
        choosePixel(
          (part.x + now[0] * part.width) / pictures.tileWidth * data.size[0],
          (part.y + now[1] * part.height) / pictures.tileHeight * data.size[1]);
      }
      from = null;
    });
    pane.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.25 : 0.8);
    }, { passive: false });
  }

  function zoom(factor) {
    state.zoom = clamp(state.zoom * factor, 1, 32);
    if (state.zoom === 1) state.x = state.y = 0.5;
    draw();
  }

  // ------------------------------------------------------------ charts

  const playhead = {
    hooks: {
      setCursor: legendAtPlayhead,
      draw: (plot) => {
        const x = plot.valToPos(state.frame / data.rate, "x", true);
        plot.ctx.save();
        plot.ctx.fillStyle = themed("--mark");
        plot.ctx.fillRect(Math.round(x) - 1, plot.bbox.top, 2, plot.bbox.height);
        plot.ctx.restore();
      },
    },
  };

  /** Numbers of an axis with as many decimals as they need, and no fewer. */
  function evenly(plot, numbers) {
    const rounded = numbers.map((number) => Number(number.toPrecision(8)));
    const decimals = Math.max(...rounded.map((number) => (number.toString().split(".")[1] || "").length));
    return rounded.map((number) => number.toFixed(decimals));
  }

  function legendAtPlayhead(plot) {
    if (plot.cursor.idx == null) plot.setLegend({ idx: plot.valToIdx(state.frame / data.rate) });
  }

  function chart(element, times, series, unit, label) {
    const ink = themed("--soft"), line = themed("--line");
    const axis = { stroke: ink, values: evenly, labelSize: 20, labelFont: "12px system-ui", grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    element.replaceChildren();
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    const plot = new uPlot({
      width: Math.max(element.clientWidth, 200),
      height: CHART_HEIGHT,
      cursor: { sync: { key: "time" }, drag: { x: false, y: false } },
      scales: { x: { time: false } },
      axes: [{ ...axis, label: "time [s]", size: 30 }, { ...axis, label: unit, size: (_, texts) => 16 + 7 * Math.max(4, ...(texts || []).map((text) => text.length)) }],
      series: [
        { label: "time", value: (_, v) => (v == null ? "–" : seconds(v * data.rate)) },
        ...series.map((one) => ({
          label: one.name, stroke: colour(one.name), width: one.floor ? 2 : 1.3, dash: one.floor ? [6, 4] : undefined,
          value: (_, v) => (v == null ? "–" : Number(v.toPrecision(3)).toString()),
        })),
      ],
      plugins: [playhead],
    }, [times, ...series.map((one) => one.values)], element);
    plot.over.addEventListener("click", (event) => { // by its own place: the cursor's is old after a scroll, and on phones
      const index = plot.posToIdx(event.clientX - plot.over.getBoundingClientRect().left);
      play(false);
      seek(Math.round(plot.data[0][index] * data.rate));
    });
    legendAtPlayhead(plot);
    return plot;
  }

  const times = Array.from({ length: Math.ceil(data.frames / data.step) }, (_, i) => (i * data.step) / data.rate);

  function drawCharts() {
    charts.length = 0;
    const section = $("charts");
    section.replaceChildren();
    section.hidden = data.charts.length === 0;
    for (const one of data.charts) {
      const element = make("div", { id: `chart-${one.id}` });
      section.append(make("figure", { class: "chart" }, make("h2", {}, one.title), element, make("figcaption", {}, one.about)));
      const words = one.words.map(({ name, mean, highest, frame }) => `${name}: mean ${mean}, highest ${highest} at ${seconds(frame)}`);
      charts.push({ element, plot: chart(element, times, one.series, one.unit, `${one.title}. ${words.join("; ")}`) });
    }
    if (state.pixel) drawPixel();
  }

  // ------------------------------------------------------------ pixels

  const pixels = pictures ? decoded(pictures.pixels) : null;
  const grid = pictures ? pictures.grid : null;

  /** The nearest pixel that values are held of, along x (0) or y (1); outside of their part the pixel itself. */
  function held(value, axis) {
    const [from, span, cells] = axis ? [grid.y, grid.height, grid.rows] : [grid.x, grid.width, grid.columns];
    const pixel = clamp(Math.floor(value), 0, data.size[axis] - 1);
    if (pixel < from || pixel >= from + span) return pixel;
    return grid.first[axis] + grid.pitch * clamp(Math.round((pixel - grid.first[axis]) / grid.pitch), 0, cells - 1);
  }

  function choosePixel(x, y) {
    state.pixel = [held(x, 0), held(y, 1)];
    $("pixel").hidden = false;
    drawPixel();
    draw();
  }

  function drawPixel() {
    const [x, y] = state.pixel;
    $("pixel-x").value = x;
    $("pixel-y").value = y;
    const old = charts.findIndex((one) => one.isPixel);
    if (old >= 0) charts.splice(old, 1);
    if (x < grid.x || y < grid.y || x >= grid.x + grid.width || y >= grid.y + grid.height) {
      $("pixel-chart").replaceChildren(`Values are held of ${grid.width}x${grid.height} pixels from (${grid.x}, ${grid.y}): choose one of them.`);
      return;
    }
    const column = (x - grid.first[0]) / grid.pitch, row = (y - grid.first[1]) / grid.pitch;
    const cell = row * grid.columns + column, cells = grid.columns * grid.rows;
    const series = Array.from({ length: pictures.videos }, (_, number) => {
      const start = (number * cells + cell) * shownFrames;
      return { name: data.names[number], values: Array.from(pixels.subarray(start, start + shownFrames), (v) => pictures.values.offset + pictures.values.scale * v), floor: data.hasReference && number === 0 };
    });
    const span = series.map((one) => `${one.name} from ${Math.min(...one.values).toFixed(2)} to ${Math.max(...one.values).toFixed(2)}`).join(", ");
    const label = `${pictures.values.what} of pixel (${x}, ${y}): ${span}`;
    charts.push({ isPixel: true, element: $("pixel-chart"), plot: chart($("pixel-chart"), Array.from({ length: shownFrames }, (_, i) => i / data.rate), series, pictures.values.what, label) });
  }

  // ------------------------------------------------------------ all together

  function startPictures() {
    $("viewer").hidden = false;
    const names = data.names.slice(0, pictures.videos);
    for (const id of ["left", "right"]) $(id).append(...names.map((name, i) => make("option", { value: i }, name)));
    for (const one of document.querySelectorAll(".several")) one.hidden = names.length === 1;
    if (names.length === 1) $("mode").value = "side";
    $("left").value = data.hasReference && names.length > 2 ? 1 : 0;
    $("right").value = names.length - 1;
    $("side-choice").append(...names.map((name, i) => make("label", {}, Object.assign(make("input", { type: "checkbox", value: i }), { checked: true }), ` ${name} `)));
    $("seek").max = lastFrame;
    for (const [axis, id] of ["pixel-x", "pixel-y"].entries()) Object.assign($(id), { min: grid.first[axis] % grid.pitch, max: data.size[axis] - 1, step: grid.pitch });
    video = make("video", { muted: "", playsinline: "", preload: "auto" });
    video.muted = true;
    video.src = data.videoFile || URL.createObjectURL(new Blob([decoded($("video").textContent)], { type: "video/mp4" }));
    video.addEventListener("loadeddata", draw);
    video.addEventListener("seeked", () => {
      if (wanted !== null && wanted !== undefined) {
        const frame = wanted;
        wanted = null;
        video.currentTime = (frame + 0.5) / data.rate;
      }
      draw();
    });
    video.addEventListener("error", () => { $("time").textContent = "the browser cannot show the video"; });
    const on = (id, event, action) => $(id).addEventListener(event, action);
    on("play", "click", () => play(!state.playing));
    const step = (by) => { play(false); seek(state.frame + by); };
    on("previous", "click", () => step(-1));
    on("next", "click", () => step(1));
    on("speed", "change", () => { video.playbackRate = Number($("speed").value); });
    on("loop", "change", () => { state.loopFrom = $("loop").checked ? Math.max(0, Math.min(state.frame, lastFrame - loopLength() + 1)) : null; });
    on("seek", "input", () => { play(false); seek(Number($("seek").value)); });
    for (const id of ["mode", "left", "right", "side-choice"]) on(id, "change", layOut);
    splitLine.addEventListener("input", draw);
    on("link", "click", () => {
      location.hash = `t=${Number((state.frame / data.rate).toFixed(3))}${state.pixel ? `&pixel=${state.pixel}` : ""}`;
      copy(location.href, "link-said");
    });
    addEventListener("hashchange", followLink);
    on("heat", "change", draw);
    on("zoom-in", "click", () => zoom(1.5));
    on("zoom-out", "click", () => zoom(1 / 1.5));
    on("zoom-all", "click", () => zoom(0));
    for (const id of ["pixel-x", "pixel-y"]) on(id, "change", () => choosePixel(Number($("pixel-x").value), Number($("pixel-y").value)));
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName) && event.target.type !== "checkbox") return;
      const toggle = (id) => { $(id).checked = !$(id).checked; $(id).dispatchEvent(new Event("change", { bubbles: true })); };
      const far = event.shiftKey ? Math.round(data.rate) : 1;
      const actions = {
        " ": () => play(!state.playing), ArrowLeft: () => step(-far), ArrowRight: () => step(far),
        h: () => toggle("heat"), l: () => toggle("loop"), "+": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => zoom(0),
      };
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action || event.key === " " && event.target.type === "checkbox") return;
      event.preventDefault();
      action();
    });
    layOut();
    seek(0);
    followLink();
  }

  /** Goes to the moment and the pixel that the address names: #t=1.6&pixel=38,76. */
  function followLink() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const time = parseFloat(asked.get("t")), [x, y] = (asked.get("pixel") || "").split(",").map(parseFloat);
    if (isFinite(time)) seek(time * data.rate);
    if (isFinite(x) && isFinite(y)) choosePixel(x, y);
  }

  function copy(text, place) {
    const said = (words) => { $(place).textContent = words; };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => said("copied"), () => said("the browser does not let it be copied"));
    else said("the browser does not let it be copied");
  }

  function markdown() {
    const rows = [...document.querySelectorAll(".scroll tr")].map((row) => [...row.cells].map((cell) => {
      const text = cell.firstChild ? cell.firstChild.textContent.trim().replace(/[\\|]/g, "\\$&") : "";
      return cell.className === "best" ? `**${text}**` : text;
    }));
    rows.splice(1, 0, rows[0].map((_, column) => (column ? "--:" : "---")));
    return rows.map((row) => `| ${row.join(" | ")} |\n`).join("");
  }

  function listWorst() {
    const there = data.worst.filter((one) => one.moments.length);
    $("worst").hidden = there.length === 0;
    $("worst").querySelector("ul").append(...there.map((one) => {
      const item = make("li", {}, `${one.name}: `);
      for (const { frame, value } of one.moments) {
        const button = make("button", { "data-frame": frame }, `${seconds(frame)} (${value})`);
        button.addEventListener("click", () => { play(false); seek(frame); });
        item.append(button);
      }
      return item;
    }));
  }

  listWorst();
  drawCharts();
  if (pictures) startPictures();
  $("copy").addEventListener("click", () => copy(markdown(), "copy-said"));
  isDark.addEventListener("change", drawCharts);
  new ResizeObserver(() => {
    for (const one of charts) {
      const width = Math.max(one.element.clientWidth, 200);
      if (width !== one.plot.width) one.plot.setSize({ width, height: CHART_HEIGHT });
    }
    draw();
  }).observe($("curves"));
  document.documentElement.dataset.ready = "true";
})();
