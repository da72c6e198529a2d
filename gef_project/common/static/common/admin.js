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
      part.replaceChildren(...fresh.childNodes);
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
