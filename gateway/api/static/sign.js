// Carry hashes from the gateway to the agent on this PC, and signatures back, each paper by itself.
import { Agent, Away, Stranger } from "./agent.js";

const { form, code, words, faults } = JSON.parse(document.getElementById("page").textContent);
const at = (id) => document.getElementById(id);
const agent = new Agent();
const KEPT = `lienthong-sitting-${code}`;
const HOLD_MS = 60_000; // the gateway keeps tasks for five minutes after it last heard of them
const CHUNK = 50;
let signer = null;
let running = false;

const say = (text, ...values) => values.reduce((said, value, n) => said.replace(`{${n}}`, value), words[text]);
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

// ---- the gateway ----

class Refused extends Error {
  constructor(fault) {
    super(fault.code);
    this.fault = fault;
  }
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Form": form, Accept: "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Refused(said.fault);
  return said;
}

async function persist(path, body) {
  for (;;) {
    try {
      return await post(path, body);
    } catch (problem) {
      if (problem instanceof Refused && !["LT7008", "LT8001"].includes(problem.fault.code)) throw problem;
      at("run-said").textContent = say("run.network");
      await pause(3000);
    }
  }
}

// ---- rows ----

const row = (task) => document.querySelector(`[data-task="${CSS.escape(task)}"]`);

function mark(task, state, text) {
  const found = row(task);
  if (!found) return;
  found.dataset.state = state;
  found.querySelector(".state").textContent = text;
  const box = found.querySelector("input[name=task]");
  box.checked = false;
  box.disabled = ["signed", "refused", "claimed"].includes(state);
}

const told = (fault) => `${fault.what} — ${fault.do} (${fault.code})`;
const boxes = () => [...document.querySelectorAll("input[name=task]:not(:disabled)")];
const chosen = () => boxes().filter((box) => box.checked).map((box) => box.value);

function buttons() {
  const sign = at("sign");
  if (sign) sign.disabled = running || !signer || !chosen().length;
}

// ---- the agent ----

async function look() {
  const said = at("agent-said");
  at("agent").hidden = false;
  at("pair").hidden = at("away").hidden = true;
  said.textContent = say("agent.looking");
  signer = null;
  try {
    signer = await agent.signer();
    said.textContent = say("agent.ready");
  } catch (problem) {
    if (problem instanceof Stranger) {
      at("pair").hidden = false;
      said.textContent = "";
    } else {
      said.textContent = say(problem instanceof Away ? "agent.away" : "agent.token");
      at("away").hidden = false;
    }
  }
  buttons();
}

async function pair(event) {
  event.preventDefault();
  try {
    await agent.pair(at("pairing").value.replaceAll(" ", ""));
    at("pairing").value = "";
    await look();
  } catch (problem) {
    if (problem instanceof Away) return look();
    at("agent-said").textContent = say("agent.wrong");
  }
}

// ---- a sitting ----

async function begin(event) {
  event.preventDefault();
  const tasks = chosen();
  if (running || !signer || !tasks.length) return;
  start(tasks.length);
  at("run-said").textContent = say("run.preparing", tasks.length);
  try {
    const { chain, algorithms, device = "" } = signer;
    const handed = await post("/sign/sittings", { chain, algorithms, device: device.slice(0, 64), tasks });
    const other = handed.other_device;
    if (other) at("run-device").textContent = say("run.device", other.stated, other.handed_over);
    at("run-device").hidden = !other;
    for (const [task, fault] of Object.entries(handed.refused)) mark(task, "failed", told(fault));
    if (!handed.batch) return finish(say("run.nothing"));
    const sitting = { ticket: handed.ticket, batch: handed.batch.id, tasks: handed.batch.documents.map((one) => one.id) };
    localStorage.setItem(KEPT, JSON.stringify(sitting));
    for (const task of sitting.tasks) mark(task, "claimed", say("state.claimed"));
    try {
      await agent.send(handed.batch);
    } catch (problem) {
      return lost(sitting, problem);
    }
    await relay(sitting);
  } catch (problem) {
    finish(problem instanceof Refused ? told(problem.fault) : say("run.network"));
  }
}

async function relay(sitting) {
  const { ticket, batch, tasks } = sitting;
  const done = new Map();
  let version = 0;
  let heard = Date.now();
  for (;;) {
    let state;
    try {
      state = await agent.state(batch, version);
    } catch (problem) {
      return lost(sitting, problem);
    }
    version = state.version;
    const fresh = state.documents.filter((one) => one.state === "signed" && !done.has(one.id));
    for (let n = 0; n < fresh.length; n += CHUNK) {
      const signatures = fresh.slice(n, n + CHUNK).map((one) => ({ task: one.id, signature: one.signature }));
      const said = await persist("/sign/sittings/signatures", { ticket, signatures });
      for (const [task, fault] of Object.entries(said.tasks)) {
        done.set(task, fault);
        if (fault) mark(task, "failed", told(fault));
        else mark(task, "signed", say("state.signed"));
      }
      heard = Date.now();
      count(done, tasks);
    }
    at("run-fault").hidden = !state.fault;
    if (state.fault) at("run-fault").textContent = faults[state.fault] || `LT${String(state.fault).padStart(4, "0")}`;
    if (state.state === "done" || state.state === "stopped") break;
    if (Date.now() - heard > HOLD_MS) {
      await persist("/sign/sittings/signatures", { ticket });
      heard = Date.now();
    }
    at("run-said").textContent = done.size ? say("run.progress", done.size, tasks.length) : say("run.pin");
  }
  await agent.forget(batch).catch(() => null);
  await end(sitting, done);
  const failed = [...done.values()].filter(Boolean).length;
  finish(say("run.done", done.size - failed, tasks.length - done.size, failed));
}

function count(done, tasks) {
  at("progress").max = tasks.length;
  at("progress").value = done.size;
  at("run-said").textContent = say("run.progress", done.size, tasks.length);
}

async function end({ ticket, tasks }, done = new Map()) {
  await persist("/sign/sittings/end", { ticket }).catch(() => null);
  localStorage.removeItem(KEPT);
  for (const task of tasks) {
    if (!done.has(task) && row(task)?.dataset.state !== "signed") mark(task, "left", say("state.left"));
  }
}

async function lost(sitting, problem) {
  await end(sitting);
  finish(say("run.lost"));
  if (problem instanceof Stranger || problem instanceof Away) await look();
}

async function stop() {
  const kept = localStorage.getItem(KEPT);
  if (kept) await agent.stop(JSON.parse(kept).batch).catch(() => null);
}

function start(total) {
  running = true;
  at("run").hidden = false;
  at("stop").hidden = at("progress").hidden = false;
  at("progress").max = total;
  at("progress").value = 0;
  at("run-fault").hidden = at("run-device").hidden = true;
  buttons();
}

function finish(text) {
  running = false;
  at("run-said").textContent = text;
  at("stop").hidden = at("progress").hidden = true;
  buttons();
}

// A sitting that this page began before it was closed goes on where the agent is.
async function goOn() {
  const kept = localStorage.getItem(KEPT);
  if (!kept) return;
  const sitting = JSON.parse(kept);
  start(sitting.tasks.length);
  try {
    await relay(sitting);
  } catch (problem) {
    if (problem instanceof Refused) {
      localStorage.removeItem(KEPT);
      finish(told(problem.fault));
    } else finish(say("run.network"));
  }
}

// ---- refusing ----

function ask(event) {
  if (!("refuse" in event.target.dataset)) return;
  const task = event.target.closest("[data-task]").dataset.task;
  const dialog = at("refusal");
  at("reason").value = "";
  dialog.returnValue = "";
  dialog.onclose = async () => {
    const reason = at("reason").value.trim();
    if (dialog.returnValue !== "send" || !reason) return;
    try {
      await post(`/sign/tasks/${encodeURIComponent(task)}/refuse`, { reason });
      mark(task, "refused", say("state.refused"));
    } catch (problem) {
      mark(task, "failed", problem instanceof Refused ? told(problem.fault) : say("run.network"));
    }
    buttons();
  };
  dialog.showModal();
}

at("pair").addEventListener("submit", pair);
at("again").addEventListener("click", () => {
  if (at("port").value) agent.port = at("port").value;
  look();
});
at("port").value = agent.port;
at("stop").addEventListener("click", stop);
at("tasks")?.addEventListener("submit", begin);
at("tasks")?.addEventListener("change", buttons);
at("tasks")?.addEventListener("click", ask);
at("all")?.addEventListener("change", (event) => {
  for (const box of boxes()) box.checked = event.target.checked;
  buttons();
});
look().then(goOn);
