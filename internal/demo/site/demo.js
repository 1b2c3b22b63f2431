"use strict";

const $ = (id) => document.getElementById(id);

// Text as base64 of its UTF-8 bytes, which is what gets signed.
function utf8To64(text) {
  let binary = "";
  for (const b of new TextEncoder().encode(text)) binary += String.fromCharCode(b);
  return btoa(binary);
}

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

async function signData(data64, detached) {
  const answer = await call("POST", "/signer/sign", {
    key: $("key").value, password: $("password").value, data64, detached,
  });
  return answer.pkcs7_64;
}

function showPerson(person) {
  $("login").hidden = Boolean(person);
  $("person").hidden = !person;
  $("sign").disabled = !person;
  $("person-data").replaceChildren();
  if (!person) return;
  const names = { CN: "Name", O: "Organisation", UID: "TIN", "1.2.860.3.16.1.1": "Organisation TIN", "1.2.860.3.16.1.2": "PINFL" };
  const rows = Object.entries(names).filter(([k]) => person.subjectName[k]).map(([k, label]) => [label, person.subjectName[k]]);
  rows.push(["Certificate", person.serialNumber], ["Valid until", person.validTo]);
  for (const [label, value] of rows) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = label; dd.textContent = value;
    $("person-data").append(dt, dd);
  }
}

function showResult(answer, pkcs7) {
  const rows = [["Status", answer.status + (answer.message ? " - " + answer.message : " (valid)")]];
  const info = answer.pkcs7Info || { signers: [] };
  for (const s of info.signers) {
    const yes = (v) => (v ? "yes" : "NO");
    rows.push(["Signer", s.certificate && s.certificate[0] ? s.certificate[0].subjectInfo.CN : s.signerId.subjectSerialNumber]);
    rows.push(["Signing time (computer)", s.signingTime || "none"]);
    if (s.timeStampInfo) rows.push(["Timestamp", s.timeStampInfo.time + ", checked: " + yes(s.timeStampInfo.verified && s.timeStampInfo.digestVerified && s.timeStampInfo.certificateVerified)]);
    rows.push(["Signature right", yes(s.verified)], ["Certificate chain right", yes(s.certificateVerified)], ["Certificate valid at signing", yes(s.certificateValidAtSigningTime)]);
    if (s.revokedStatusInfo) rows.push(["Revoked", s.revokedStatusInfo.revocationTime + " " + s.revokedStatusInfo.crlReason]);
  }
  $("checks").replaceChildren(...rows.map(([label, value]) => {
    const tr = document.createElement("tr"), a = document.createElement("td"), b = document.createElement("td");
    a.textContent = label; b.textContent = value;
    tr.append(a, b);
    return tr;
  }));
  $("answer").textContent = JSON.stringify(answer, null, 2);
  $("download").href = "data:application/pkcs7-mime;base64," + pkcs7;
  $("result").hidden = false;
}

$("login").addEventListener("click", () => step("login", "login-message", async () => {
  const c = await call("GET", "/frontend/challenge?_uc=" + Date.now());
  if (c.status !== 1) throw new Error(c.status + " - " + c.message);
  const pkcs7 = await signData(utf8To64(c.challenge), false);
  const { person } = await call("POST", "/app/login", { pkcs7 });
  showPerson(person);
  say("login-message", "Logged in.", "good");
  say("sign-message", "");
}));

$("logout").addEventListener("click", () => step("logout", "login-message", async () => {
  await call("POST", "/app/logout", {});
  showPerson(null);
  $("result").hidden = true;
  say("login-message", "Logged out.");
  say("sign-message", "Log in first.");
}));

$("sign").addEventListener("click", () => step("sign", "sign-message", async () => {
  $("result").hidden = true;
  const data64 = utf8To64($("text").value), detached = $("detached").checked;
  let pkcs7 = await signData(data64, detached);
  if ($("timestamp").checked) {
    const stamped = await call("POST", "/frontend/timestamp/pkcs7", pkcs7, "text/plain");
    if (stamped.status !== 1) throw new Error(stamped.status + " - " + stamped.message);
    pkcs7 = stamped.pkcs7b64;
  }
  const answer = await call("POST", "/app/verify", detached ? { pkcs7, data64 } : { pkcs7 });
  showResult(answer, pkcs7);
  if (answer.status === 1) say("sign-message", "The signature is valid.", "good");
  else say("sign-message", "The signature is not valid: " + answer.status + " - " + answer.message, "bad");
}));

(async () => {
  try {
    const { keys } = await call("GET", "/signer/keys");
    $("key").replaceChildren(...keys.map((k) => new Option(k.subject + " (" + k.id + ")", k.id)));
    const { person } = await call("GET", "/app/me");
    showPerson(person);
    if (person) say("sign-message", "");
  } catch (e) { say("login-message", e.message, "bad"); }
})();
