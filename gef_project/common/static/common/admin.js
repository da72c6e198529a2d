"use strict";
/* The admin's own script. Every section stands alone, and a page works without any of them. */

/* --- What the sections share ------------------------------------------------------------------------- */

const tracking = {
  /** Called with an element whenever it is new: the document, and every part that was read again. */
  enhancers: [],
  enhance(root) {
    for (const enhancer of tracking.enhancers) enhancer(root);
  },
  number(value) {
    return value.toLocaleString(document.documentElement.lang || "en");
  },
  csrf() {
    return document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
  },
};
document.addEventListener("DOMContentLoaded", () => tracking.enhance(document));

/* --- Times, in the viewer's zone -----------------------------------------------------------------------
   <time datetime data-relative> shows "2 min. ago", and the exact time on hover; data-local shows the exact one. */
{
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const language = document.documentElement.lang || "en";
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const exact = new Intl.DateTimeFormat(language, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hour12: false, timeZoneName: "short",
  });
  const describe = (time) => {
    const seconds = Math.round((time - Date.now()) / 1000);
    const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
    return relative.format(Math.trunc(seconds / size), unit);
  };
  const show = (root) => {
    for (const element of root.querySelectorAll("time[data-relative], time[data-local]")) {
      const time = new Date(element.dateTime);
      if (Number.isNaN(time.getTime())) continue;
      element.title = exact.format(time);
      element.textContent = "relative" in element.dataset ? describe(time) : exact.format(time);
    }
  };
  tracking.enhancers.push(show);
  setInterval(() => show(document), 10_000);
}

/* --- Copying: <button data-copy="text"> or <button data-copy-from="id of an element"> ------------------- */

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = source ? source.textContent : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no secure context: a plain http address
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});

/* --- Live: <body> holds one stream; elements say what they want of it -----------------------------------
   [data-live-from=row id] on any element opens the stream. [data-live-count=status] shows a live count.
   [data-live-part] with an id is read again from the page's own address when something has changed, with
   data-live-execution only if that one has. Other scripts listen to the event "tracking:live" of the document. */
{
  const AGAIN = 5_000; // milliseconds until a stream that was refused is tried again
  const CALM = 2_000; // milliseconds between two readings of the page
  let last = null;
  let reading = null;

  const showCounts = (counts) => {
    for (const element of document.querySelectorAll("[data-live-count]")) {
      const count = counts[element.dataset.liveCount];
      if (count !== undefined) element.textContent = tracking.number(count);
    }
  };

  const wanted = (part, changed) =>
    !part.dataset.liveExecution || !changed || changed.includes(part.dataset.liveExecution);

  const readAgain = async (changed) => {
    const parts = [...document.querySelectorAll("[data-live-part][id]")].filter((part) => wanted(part, changed));
    if (!parts.length) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (!fresh || part.contains(document.activeElement)) continue; // do not take it from under the keyboard
      const open = [...part.querySelectorAll("details")].map((one) => one.open);
      const checked = new Set([...part.querySelectorAll("input:checked")].map((one) => one.value));
      part.replaceChildren(...fresh.childNodes);
      [...part.querySelectorAll("details")].forEach((one, place) => { one.open = open[place] ?? one.open; });
      for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = checked.has(box.value);
      for (const name of ["data-live-every"]) {
        if (fresh.hasAttribute(name)) part.setAttribute(name, fresh.getAttribute(name));
        else part.removeAttribute(name);
      }
      tracking.enhance(part);
    }
  };

  let pending = null; // null: nothing; a list: these executions
  tracking.readSoon = (changed) => {
    pending = changed && pending !== "all" ? [...(pending ?? []), ...changed] : "all";
    reading ??= setTimeout(async () => {
      const these = pending === "all" ? undefined : pending;
      pending = null;
      try {
        await readAgain(these);
      } catch { /* the server is away: the next event reads again */ }
      reading = null;
      if (pending) tracking.readSoon(pending === "all" ? undefined : []);
    }, CALM);
  };

  const connected = (yes) => {
    for (const element of document.querySelectorAll("[data-live-state]")) element.hidden = yes;
  };

  const open = (url) => {
    const source = new EventSource(`${url}?after=${last}`);
    const hear = (event) => {
      last = event.lastEventId;
      const news = JSON.parse(event.data);
      showCounts(news.counts);
      tracking.readSoon(news.changed);
      document.dispatchEvent(new CustomEvent("tracking:live", { detail: news }));
    };
    source.addEventListener("message", hear);
    source.addEventListener("missed", hear);
    source.addEventListener("open", () => connected(true));
    source.addEventListener("error", () => {
      connected(source.readyState !== EventSource.CLOSED);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN, url);
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const element = document.querySelector("[data-live-from]");
    if (!element) return;
    last = element.dataset.liveFrom;
    open(element.dataset.liveUrl);
  });
}

/* --- Pieces that take their time: [data-load=address] is filled when the page is there --------------------
   [data-live-every=seconds] on a part that is shown has the page's parts read again without any event. */
document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll("[data-load]")) {
    fetch(element.dataset.load).then(async (answer) => {
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      element.replaceChildren(...page.body.childNodes);
      tracking.enhance(element);
    }).catch(() => {});
  }
  setInterval(() => {
    if (document.querySelector("[data-live-every]") && !document.hidden) tracking.readSoon();
  }, 5_000);
});

/* --- The list of executions --------------------------------------------------------------------------- */
{
  let created = 0;
  document.addEventListener("tracking:live", (event) => {
    const button = document.getElementById("new-rows");
    created += event.detail.created ?? 0;
    if (!button || !created) return;
    button.querySelector("[data-new-count]").textContent = tracking.number(created);
    button.hidden = false;
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "select-all") return;
    for (const box of document.querySelectorAll("input[name=_selected_action]")) box.checked = event.target.checked;
  });
  document.addEventListener("input", async (event) => {
    const input = event.target;
    if (!input.dataset?.complete) return;
    const typed = input.value;
    const answer = await fetch(`${input.dataset.complete}?q=${encodeURIComponent(typed)}`);
    if (!answer.ok || input.value !== typed) return;
    const { scripts } = await answer.json();
    input.list.replaceChildren(...scripts.map((slug) => Object.assign(document.createElement("option"), { value: slug })));
  });
}

/* --- One execution: new lines of its log as they come, older ones in place --------------------------------- */
{
  const EVERY = 1_500; // milliseconds
  const rowsOf = async (url) => {
    const answer = await fetch(url);
    if (!answer.ok || answer.redirected) return [];
    const page = new DOMParser().parseFromString(`<table><tbody>${await answer.text()}</tbody></table>`, "text/html");
    return [...page.querySelectorAll("tr")];
  };
  const follow = async (lines) => {
    const last = lines.querySelector("tr:last-child")?.dataset.line ?? 0;
    const { level, find } = lines.dataset;
    const query = new URLSearchParams({ after: last, level, find });
    const rows = await rowsOf(`${lines.dataset.follow}?${query}`);
    if (!rows.length) return;
    const box = lines.closest(".scrolls");
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    document.querySelector("[data-no-lines]")?.remove();
    lines.append(...rows);
    tracking.enhance(lines);
    if (atEnd) box.scrollTop = box.scrollHeight;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const lines = document.querySelector("[data-follow]");
    const box = document.querySelector("#log-lines .scrolls");
    if (box) box.scrollTop = box.scrollHeight;
    if (!lines) return;
    const again = async () => {
      try { await follow(lines); } catch { /* the server is away */ }
      // Once more after the end, for what was written last.
      const goesOn = document.querySelector("#summary[data-live-every]");
      if (goesOn) setTimeout(again, EVERY);
      else follow(lines).catch(() => {});
    };
    again();
  });
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-older-lines]");
    if (!link) return;
    event.preventDefault();
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const lines = document.querySelector("#log-lines tbody");
    lines.prepend(...page.querySelectorAll("#log-lines tbody tr"));
    tracking.enhance(lines);
    const older = page.querySelector("[data-older-lines]");
    if (older) link.href = older.getAttribute("href");
    else link.remove();
  });
}

/* --- Acting on all that match: one batch after the other, with what has been done so far --------------------- */

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-batches]")) return;
  event.preventDefault();
  const progress = form.querySelector("[data-batch-progress]");
  const button = form.querySelector("button[type=submit]");
  progress.hidden = false;
  button.disabled = true;
  try {
    for (;;) {
      const answer = await fetch(form.getAttribute("action"), { // form.action is its field of that name
        method: "POST", body: new FormData(form), headers: { Accept: "application/json" },
      });
      const isJson = answer.headers.get("Content-Type")?.includes("json");
      if (!isJson) { // the word was wrong, or the session has ended: let the browser show it
        form.removeAttribute("data-batches");
        button.disabled = false;
        form.requestSubmit();
        return;
      }
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      progress.textContent = `${tracking.number(said.done)} …`;
      form.elements.done.value = said.done;
      form.elements.cursor.value = said.cursor;
      if (!said.cursor) {
        location.assign(said.url);
        return;
      }
    }
  } catch (error) {
    progress.textContent = `${form.elements.done.value}: ${error.message}`;
    button.disabled = false; // pressed again, it goes on from there
  }
});

/* --- Names for what Django's own widgets leave without one, for those who hear the page -------------------- */

window.addEventListener("load", () => {
  document.getElementById("searchbar")?.setAttribute("aria-label", "Search");
  for (const input of document.querySelectorAll(".vDateField, .vTimeField")) {
    const name = input.closest("fieldset.form-row, .form-row, .fieldBox")?.querySelector("legend, label")?.textContent ?? "";
    input.setAttribute("aria-label", `${name.trim()} ${input.matches(".vDateField") ? "date" : "time"}`);
  }
  for (const tip of document.querySelectorAll("span.help-tooltip[aria-label]")) tip.setAttribute("role", "img");
});

/* --- Periodic tasks: the meaning of a crontab, as django_celery_beat's inline script shows it ------------- */

document.addEventListener("DOMContentLoaded", () => {
  const data = document.getElementById("readable-crontabs");
  const select = document.getElementById("id_crontab");
  if (!data || !select) return;
  const meanings = JSON.parse(data.textContent);
  const help = document.createElement("div");
  help.className = "help";
  select.closest(".field-crontab").append(help);
  const show = () => { help.textContent = meanings[select.value] ?? ""; };
  document.querySelector(".field-crontab_translation")?.remove();
  select.addEventListener("change", show);
  show();
});
