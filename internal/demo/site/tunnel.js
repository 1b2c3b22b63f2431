"use strict";

const destination = "0"; // dst_id of the back end, in the configuration of the server

let socket = null;

// Adds a line to the chat: what the page said, or the back end.
function line(who, text) {
  const li = document.createElement("li");
  li.className = who;
  li.textContent = text;
  $("chat").append(li);
  li.scrollIntoView({ block: "nearest" });
}

function opened(yes) {
  $("open").disabled = yes;
  for (const id of ["close", "send", "send-binary"]) $(id).disabled = !yes;
}

// Opens a WebSocket at the address of a tunnel.
function connect(address) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket("ws://" + address + "/");
    ws.binaryType = "arraybuffer";
    ws.onopen = () => resolve(ws);
    ws.onclose = (e) => reject(new Error("The back end does not answer (" + e.code + ")."));
  });
}

let asked = []; // random octets on their way

function received(e) {
  if (typeof e.data === "string") return line("back", e.data);
  const sent = asked.shift(), back = new Uint8Array(e.data);
  const same = sent && back.length === sent.length && back.every((b, i) => b === sent[i]);
  line("back", back.length + " octets, " + (same ? "the same" : "NOT THE SAME") + " as were sent");
}

$("open").addEventListener("click", async () => {
  $("open").disabled = true;
  say("open-message", "…");
  try {
    const { address } = await withKey((id) => agent("tunnel", "create_tunnel", destination, id));
    socket = await connect(address);
    asked = [];
    socket.onmessage = received;
    socket.onclose = (e) => {
      opened(false);
      say("open-message", "The tunnel is closed (" + e.code + ").", e.code === 1000 ? "" : "bad");
    };
    opened(true);
    say("open-message", "The tunnel is open at " + address + ".", "good");
  } catch (e) {
    opened(false);
    say("open-message", e.message, "bad");
  }
});

$("close").addEventListener("click", () => socket.close(1000));

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  line("own", $("text").value);
  socket.send($("text").value);
  $("text").value = "";
});

$("send-binary").addEventListener("click", () => {
  const octets = new Uint8Array(1 << 20);
  for (let i = 0; i < octets.length; i += 65536) crypto.getRandomValues(octets.subarray(i, i + 65536));
  line("own", octets.length + " random octets");
  asked.push(octets);
  socket.send(octets);
});

(async () => {
  try {
    const where = await call("GET", "/app/addresses");
    if (!where.tunnel) {
      $("open").disabled = true;
      say("open-message", "There is no tunnel here.", "bad");
    }
    await listKeys(where.agent);
  } catch (e) { say("key-message", e.message, "bad"); }
})();
