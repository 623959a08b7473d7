/* What pages do beyond links and forms. Everything here is a comfort: without it they work as well. */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const body = () => document.body.dataset;

  /* Moments after a form: what was said is said once. */
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    here.searchParams.delete("kind");
    history.replaceState(history.state, "", here);
  }

  /* Parts of pages come and go, so most of it listens at the top. */
  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
        const before = copy.innerHTML;
        copy.textContent = body().copied;
        setTimeout(() => { copy.innerHTML = before; }, 1500);
      });
    }
    for (const menu of all("details.dropdown[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  /* Before something that cannot be undone. */
  let confirmed = null;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asked = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (asked === undefined || confirmed === form) {
      confirmed = null;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(asked || body().sure, event.submitter?.textContent.trim() || body().yes).then((yes) => {
      if (yes) {
        confirmed = form;
        form.requestSubmit(event.submitter ?? undefined);
      }
    });
  }, true);

  function ask(text, yes) {
    const dialog = document.createElement("dialog");
    const article = document.createElement("article");
    const said = document.createElement("p");
    said.id = "asked";
    said.textContent = text;
    dialog.setAttribute("aria-labelledby", "asked");
    const buttons = document.createElement("div");
    buttons.className = "buttons";
    for (const [value, label, kind] of [["", body().cancel, "secondary"], ["yes", yes, "danger"]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = kind;
      button.textContent = label;
      button.addEventListener("click", () => dialog.close(value));
      buttons.append(button);
    }
    article.append(said, buttons);
    dialog.append(article);
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((done) => {
      dialog.addEventListener("close", () => {
        const is = dialog.returnValue === "yes";
        dialog.remove();
        done(is);
      });
    });
  }

  /* A second press while the first is on its way would send a message twice. Afterwards the page is another one; where a
     file comes instead, it is the same one and can be asked again. */
  const PATIENCE = 5000;
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (Date.now() - (sent.get(form) ?? -Infinity) < PATIENCE) event.preventDefault();
    else sent.set(form, Date.now());
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) sent.delete(form);
  });

  /* Light, dark, or as the system has it: kept by the hub, shown at once. */
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-theme-switch]");
    if (!form) return;
    event.preventDefault();
    const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    const said = new URLSearchParams(new FormData(form));
    said.set("theme", root.dataset.theme);
    fetch(form.action, { method: "POST", body: said, headers: { "HX-Request": "true" } });
    drawAll();
  });

  /* Keys: nothing while somebody writes. */
  let went = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of all("details.dropdown[open]")) {
        menu.open = false;
        if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      }
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    const key = latin(event);
    if (key === "/") {
      const search = document.querySelector("[data-search], input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select?.();
      }
    } else if (key === "?") {
      document.getElementById("keys")?.showModal();
    } else if (key === "g") {
      went = Date.now();
    } else if (Date.now() - went < 1500) {
      went = 0;
      document.querySelector(`.side a[data-key="${CSS.escape(key)}"]`)?.click();
    }
  });

  /* Where the layout writes no Latin letters, by the key's place: in Russian "g" is "п". */
  function latin(event) {
    if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase();
    if (/^Key[A-Z]$/.test(event.code)) return event.code.slice(3).toLowerCase();
    if (event.code === "Slash") return { ".": "/", ",": "?" }[event.key] ?? event.key;
    return event.key;
  }

  function isWriting(element) {
    return element.closest?.("input, textarea, select, dialog, [contenteditable]") !== null && element !== document.body;
  }

  /* Foreign files, only where a page needs them. */
  const loading = new Map();
  function script(src) {
    if (!loading.has(src)) {
      loading.set(src, new Promise((done, failed) => {
        const element = document.createElement("script");
        element.src = src;
        element.dataset.manual = "";
        element.onload = done;
        element.onerror = failed;
        document.head.append(element);
      }));
    }
    return loading.get(src);
  }
  function style(href) {
    if (loading.has(href)) return;
    loading.set(href, true);
    const element = document.createElement("link");
    element.rel = "stylesheet";
    element.href = href;
    document.head.append(element);
  }

  /* Charts */
  const drawn = new Map();
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  async function drawAll(within = document) {
    const figures = all("figure[data-chart]", within);
    for (const [figure, plot] of drawn) {
      if (!figure.isConnected) {
        plot.destroy();
        drawn.delete(figure);
      }
    }
    if (!figures.length) return;
    style(body().uplotCss);
    await script(body().uplot);
    figures.forEach(draw);
  }

  function draw(figure) {
    drawn.get(figure)?.destroy();
    figure.querySelector(".uplot")?.remove();
    const data = JSON.parse(figure.dataset.chart);
    if (!data.x.length) return;
    const named = typeof data.x[0] === "string";
    const colours = ["--accent", "--good", "--wait", "--bad", "--quiet", "--code-keyword"].map(colour);
    const bars = data.kind === "bars" || named;
    const format = new Intl.NumberFormat(root.lang, { notation: "compact", maximumFractionDigits: 1 });
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui", labelFont: "12px system-ui" };
    const zone = figure.dataset.zone;
    const options = {
      width: figure.clientWidth || 320,
      height: Number(figure.dataset.height) || 220,
      scales: { x: named ? { time: false, range: [-0.6, data.x.length - 0.4] } : {}, y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      axes: [
        { ...axis, grid: { show: false }, ...(named ? { splits: () => data.x.map((_, at) => at), values: (_, splits) => splits.map((at) => data.x[at] ?? "") } : { space: 60, values: (_, splits, __, ___, step) => times(splits, step, zone) }) },
        { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => format.format(tick) + (data.unit ? `\u00a0${data.unit}` : "")) },
      ],
      series: [
        named ? { label: "\u2009", value: (_, at) => data.x[at] ?? "" } : { label: "\u2009", value: (_, at) => (at == null ? "" : new Date(at * 1000).toLocaleString(root.lang, { dateStyle: "medium", timeStyle: "short", ...(isZone(zone) ? { timeZone: zone } : {}) })) },
        ...data.series.map((one, at) => ({
          label: one.label,
          stroke: colours[at % colours.length],
          width: 2,
          points: { show: data.x.length < 40 && !bars },
          value: (_, value) => (value == null ? "–" : value.toLocaleString(root.lang) + (data.unit ? `\u00a0${data.unit}` : "")),
          ...(bars ? { fill: `color-mix(in srgb, ${colours[at % colours.length]} 55%, transparent)`, paths: uPlot.paths.bars({ size: [0.7, 60] }) } : {}),
        })),
      ],
      cursor: { y: false },
      ...(isZone(zone) && !named ? { tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone) } : {}),
    };
    const plot = new uPlot(options, [named ? data.x.map((_, at) => at) : data.x, ...data.series.map((one) => one.values)]);
    figure.insertBefore(plot.root, figure.querySelector(".chart-table"));
    plot.root.setAttribute("aria-hidden", "true");
    drawn.set(figure, plot);
  }

  /* The clock within a day, and the day where it begins. */
  function times(splits, step, zone) {
    const there = isZone(zone) ? { timeZone: zone } : {};
    const day = new Intl.DateTimeFormat(root.lang, { day: "numeric", month: "short", ...there });
    const clock = new Intl.DateTimeFormat("ru", { hour: "2-digit", minute: "2-digit", ...there });
    let before = "";
    return splits.map((at) => {
      const when = new Date(at * 1000);
      const named = day.format(when);
      const said = step >= 86400 ? named : named === before ? clock.format(when) : `${clock.format(when)}\n${named}`;
      before = named;
      return said;
    });
  }

  function isZone(name) {
    try {
      return Boolean(name && Intl.DateTimeFormat("en", { timeZone: name }));
    } catch {
      return false;
    }
  }

  let width = innerWidth;
  addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    for (const [figure, plot] of drawn) plot.setSize({ width: figure.clientWidth || 320, height: plot.height });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());

  /* Editors: the field stays what is sent, the editor is what is seen. */
  async function editAll(within = document) {
    const fields = all("textarea[data-editor]", within).filter((field) => !field.dataset.edited);
    if (!fields.length) return;
    window.Prism = window.Prism || { manual: true };
    await script(body().prism);
    const { CodeJar } = await import(body().codejar);
    for (const field of fields) edit(field, CodeJar);
  }

  function edit(field, CodeJar) {
    field.dataset.edited = "yes";
    const name = field.dataset.editor || "django";
    const grammar = Prism.languages[name] ? name : "django";
    const editor = document.createElement("div");
    editor.className = `editor language-${grammar}`;
    editor.setAttribute("role", "textbox");
    editor.setAttribute("aria-multiline", "true");
    editor.setAttribute("tabindex", "0");
    editor.setAttribute("aria-label", field.labels?.[0]?.textContent.trim() || field.name);
    if (field.hasAttribute("aria-describedby")) editor.setAttribute("aria-describedby", field.getAttribute("aria-describedby"));
    editor.spellcheck = false;
    field.after(editor);
    field.hidden = true;
    const jar = CodeJar(editor, (element) => {
      element.innerHTML = Prism.highlight(element.textContent, Prism.languages[grammar], grammar);
    }, { tab: "  ", addClosing: false });
    jar.updateCode(field.value);
    const tell = () => {
      if (field.value === jar.toString()) return;
      field.value = jar.toString();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    jar.onUpdate(tell);
    /* What comes without keys: dictated, put in by a phone's keyboard, dropped. */
    editor.addEventListener("input", tell);
    /* After Escape the Tab key leaves again, or one would be caught inside. */
    editor.addEventListener("keydown", (event) => { if (event.key === "Escape") jar.updateOptions({ catchTab: false }); });
    editor.addEventListener("blur", () => jar.updateOptions({ catchTab: true }));
  }

  /* Frames that show what a form would make. A new one each time: or the way back would lead through all of them. */
  let framed = 0;
  function frameAll(within = document) {
    for (const frame of all("iframe[data-form]", within)) {
      const form = document.getElementById(frame.dataset.form);
      if (!form) continue;
      const fresh = frame.cloneNode();
      const sent = document.createElement("form");
      fresh.removeAttribute("data-form");
      fresh.name = sent.target = `frame-${++framed}`;
      frame.replaceWith(fresh);
      sent.method = "post";
      sent.action = frame.dataset.action;
      sent.hidden = true;
      for (const [name, value] of new FormData(form)) {
        const field = document.createElement("input");
        field.type = "hidden";
        field.name = name;
        field.value = value;
        sent.append(field);
      }
      document.body.append(sent);
      sent.submit();
      sent.remove();
    }
  }

  async function highlight(within = document) {
    const codes = all("pre.code > code[class*=language-]", within).filter((code) => !code.dataset.lit);
    if (!codes.length) return;
    window.Prism = window.Prism || { manual: true };
    await script(body().prism);
    for (const code of codes) {
      code.dataset.lit = "yes";
      const name = [...code.classList].find((one) => one.startsWith("language-")).slice(9);
      if (Prism.languages[name]) code.innerHTML = Prism.highlight(code.textContent, Prism.languages[name], name);
    }
  }

  /* On a phone there are more tabs than fit: the present one is to be seen. */
  function showTab(tabs) {
    const now = tabs.querySelector("[aria-current]");
    if (!now) return;
    const [outer, inner] = [tabs.getBoundingClientRect(), now.getBoundingClientRect()];
    if (inner.left < outer.left || inner.right > outer.right) tabs.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }

  /* What was written and not sent is not lost by a wrong click. `data-unsaved="now"`: it comes back refused, so it is not kept yet. */
  const unsaved = new Set();
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form?.dataset.unsaved !== undefined) unsaved.add(form);
  });
  document.addEventListener("submit", (event) => {
    unsaved.delete(event.target);
  });
  addEventListener("beforeunload", (event) => {
    if ([...unsaved].some((form) => form.isConnected)) event.preventDefault();
  });

  function dress(within) {
    all(".tabs", within).forEach(showTab);
    for (const form of all("form[data-unsaved=now]", within)) unsaved.add(form);
    for (const button of all("[data-copy][hidden]", within)) button.hidden = !navigator.clipboard;
    drawAll(within);
    editAll(within);
    frameAll(within);
    highlight(within);
  }
  dress(document);
  document.addEventListener("htmx:afterSettle", (event) => dress(event.target.isConnected ? event.target.parentElement ?? document : document));

  /* Choices that take effect at once. */
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form?.requestSubmit();
  });
})();
