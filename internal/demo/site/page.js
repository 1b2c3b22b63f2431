"use strict";

// What the pages of this site share.

const $ = (id) => document.getElementById(id);

async function call(method, path, body, type) {
  const init = { method, headers: {} };
  if (body !== undefined) {
    init.body = type ? body : JSON.stringify(body);
    init.headers["Content-Type"] = type || "application/json";
  }
  const res = await fetch(path, init);
  const text = await res.text();
  let data;
  try { data = JSON.parse(text); } catch { throw new Error(res.status + ": " + text.trim()); }
  if (!res.ok) throw new Error(data.error || text);
  return data;
}

function say(id, text, kind) {
  $(id).textContent = text;
  $(id).className = "message " + (kind || "");
}

// Runs one step of the page; its button cannot be pressed twice meanwhile.
async function step(button, message, work) {
  $(button).disabled = true;
  say(message, "…");
  try { await work(); } catch (e) { say(message, e.message, "bad"); } finally { $(button).disabled = false; }
}

// The keys that E-IMZO gives everybody for pages of this computer.
const apiKeys = [
  "localhost", "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B",
  "127.0.0.1", "A7BCFA5D490B351BE0754130DF03A068F855DB4333D43921125B9CF2670EF6A40370C646B90401955E1F7BC9CDBF59CE0B2C5467D820BE189C845D0B79CFC96F",
];

// Calls a function of the agent. What it refuses is an error with its reason.
function agent(plugin, name, ...args) {
  return new Promise((resolve, reject) => {
    const lost = () => reject(new Error("The agent does not answer. Is it running?"));
    const done = (event, data) => {
      if (data.success) return resolve(data);
      const e = new Error(data.reason);
      e.status = data.status;
      reject(e);
    };
    if (name === "apikey") CAPIWS.apikey(args, done, lost);
    else CAPIWS.callFunction({ plugin, name, arguments: args }, done, lost);
  });
}

let keys = [];
const loaded = new Map(); // key ids, by the number in the list

// Does something with the id of the chosen key. It may have ended since it was
// loaded.
async function withKey(use) {
  const chosen = $("key").value;
  if (chosen === "idcard") return use("idcard");
  for (let again = true; ; again = false) {
    if (!loaded.has(chosen)) {
      const k = keys[Number(chosen)];
      if (!k) throw new Error("There is no key to use.");
      loaded.set(chosen, (await agent("pfx", "load_key", k.disk, k.path, k.name, k.alias)).keyId);
    }
    try {
      return await use(loaded.get(chosen));
    } catch (e) {
      if (e.status !== -1010 || !again) throw e;
      loaded.delete(chosen);
    }
  }
}

// The name in an alias: fields after commas, of which "cn" is one.
function nameOf(alias) {
  const cn = alias.split(/,(?=[\w.]+=)/).find((f) => f.startsWith("cn="));
  return cn ? cn.slice(3).toUpperCase() : alias;
}

// Calls the agent for the first time, and lists the keys to choose from.
async function listKeys(address) {
  CAPIWS.URL = address;
  await agent("", "apikey", ...apiKeys);
  await agent("app", "change_ui_lang", document.documentElement.lang);
  keys = (await agent("pfx", "list_all_certificates")).certificates;
  $("key").replaceChildren(...keys.map((k, i) => new Option(nameOf(k.alias) + " (" + k.name + ")", i)));
  for (const reader of (await agent("idcard", "list_readers")).readers) $("key").append(new Option("ID card (" + reader + ")", "idcard"));
  if ($("key").options.length === 0) say("key-message", "The agent has found no keys.", "bad");
}
