"use strict";

// Text as base64 of its UTF-8 bytes, which is what gets signed.
function utf8To64(text) {
  let binary = "";
  for (const b of new TextEncoder().encode(text)) binary += String.fromCharCode(b);
  return btoa(binary);
}

// Signs with the chosen key.
async function signData(data64, detached) {
  return (await withKey((id) => agent("pkcs7", "create_pkcs7", data64, id, detached ? "yes" : "no"))).pkcs7_64;
}

// What is to be signed: the file, or the text.
async function document64() {
  const file = $("file").files[0];
  if (!file) return utf8To64($("text").value);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

function showPerson(person) {
  $("logins").hidden = Boolean(person);
  $("person").hidden = !person;
  $("sign").disabled = $("phone-sign").disabled = !person;
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

let phonePage = "";

// Shows a code until the phone has signed what it stands for. Resolves when the
// site has got the signature, which somebody has to check yet.
async function byPhone(start, hash) {
  const code = EIMZOMobile.codeOfHash(start.siteId, start.documentId, hash), link = EIMZOMobile.link(code);
  EIMZOMobile.drawQR($("qr"), code, { label: "code for the phone" });
  $("phone-link").href = link;
  $("phone-page").href = phonePage + "?link=" + encodeURIComponent(link);
  $("phone-groups").replaceChildren(...EIMZOMobile.groups(code).map((g) => {
    const c = document.createElement("code");
    c.textContent = g;
    return c;
  }));
  const given = new AbortController(), close = () => given.abort(new Error("Cancelled."));
  $("phone").addEventListener("close", close);
  $("phone").showModal();
  try {
    const got = await EIMZOMobile.poll({
      url: "/frontend/mobile/status", documentId: start.documentId, signal: given.signal,
      onTick: (left) => { $("phone-left").textContent = left; },
    });
    if (got.timeout) throw new Error("The phone has not signed in time.");
    if (got.status !== 1) throw new Error(got.status + " - " + got.message);
  } finally {
    $("phone").removeEventListener("close", close);
    $("phone").close();
  }
}

$("phone-cancel").addEventListener("click", () => $("phone").close());

$("phone-login").addEventListener("click", () => step("phone-login", "login-message", async () => {
  const start = await EIMZOMobile.start("/frontend/mobile/auth");
  await byPhone(start, EIMZOMobile.hash(start.challange));
  const { person } = await call("POST", "/app/phone/login", { documentId: start.documentId });
  showPerson(person);
  say("login-message", "Logged in by phone.", "good");
  say("sign-message", "");
}));

$("phone-sign").addEventListener("click", () => step("phone-sign", "sign-message", async () => {
  $("result").hidden = true;
  const file = $("file").files[0], data64 = await document64();
  const hash = file ? await EIMZOMobile.hashFile(file) : EIMZOMobile.hash($("text").value);
  const start = await EIMZOMobile.start("/frontend/mobile/sign");
  await byPhone(start, hash);
  const answer = await call("POST", "/app/phone/verify", { documentId: start.documentId, data64 });
  if (answer.status !== 1) throw new Error("The signature is not valid: " + answer.status + " - " + answer.message);
  // What the site keeps is a document as any other, with the timestamp in it.
  showResult(await call("POST", "/app/verify", { pkcs7: answer.pkcs7Attached }), answer.pkcs7Attached);
  $("answer").textContent = JSON.stringify(answer, null, 2);
  say("sign-message", "Signed by phone: " + answer.subjectCertificateInfo.subjectName.CN + ", " + answer.verificationInfo.timestampedTime + ".", "good");
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
  const data64 = await document64(), detached = $("detached").checked;
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
    const where = await call("GET", "/app/addresses");
    phonePage = where.phone;
    $("tunnel-card").hidden = !where.tunnel;
    await listKeys(where.agent);
  } catch (e) { say("key-message", e.message, "bad"); }
  try {
    const { person } = await call("GET", "/app/me");
    showPerson(person);
    if (person) say("sign-message", "");
  } catch (e) { say("login-message", e.message, "bad"); }
})();
