"use strict";
// Calls the signing program of this computer. Written for Imzo; the names are
// those that pages know.

// Base64 of text (as UTF-8) and back. What it reads may be of either alphabet
// and hold line ends, spaces or nothing for padding.
var Base64 = (function (root) {
  var before = root.Base64;
  function encodeBytes(bytes) {
    var binary = "";
    for (var i = 0; i < bytes.length; i += 0x8000) {
      binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000));
    }
    return btoa(binary);
  }
  function fromBinary(binary) {
    var bytes = new Uint8Array(binary.length);
    for (var i = 0; i < binary.length; i++) { bytes[i] = binary.charCodeAt(i); }
    return bytes;
  }
  function urlSafe(text) {
    return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function toBinary(text) {
    text = String(text).replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+\/]/g, "");
    // One digit beyond a group of four holds no octet.
    return atob(text.length % 4 === 1 ? text.slice(0, -1) : text);
  }
  function btou(binary) {
    return new TextDecoder("utf-8", {ignoreBOM: true}).decode(fromBinary(binary));
  }
  function utob(text) {
    return unescape(encodeURIComponent(text));
  }
  function encode(text, urisafe) {
    var b64 = encodeBytes(new TextEncoder().encode(String(text)));
    return urisafe ? urlSafe(b64) : b64;
  }
  function decode(text) { return btou(toBinary(text)); }
  function encodeURI(text) { return encode(text, true); }
  var self = {
    VERSION: "2.6.4",
    encode: encode, toBase64: encode, encodeURI: encodeURI,
    decode: decode, fromBase64: decode,
    utob: utob, btou: btou, btoa: function (binary) { return btoa(binary); }, atob: toBinary,
    noConflict: function () { root.Base64 = before; return self; }
  };
  return self;
}(typeof window !== "undefined" ? window : this));

var CAPIWS = (function () {
  // An extension of the browser may do the work instead.
  if (typeof EIMZOEXT !== "undefined") { return EIMZOEXT; }
  function url() {
    return window.location.protocol.toLowerCase() === "https:" ?
      "wss://127.0.0.1:64443/service/cryptapi" : "ws://127.0.0.1:64646/service/cryptapi";
  }
  // One call is one socket. callback(event, data) gets the reply;
  // error(event) is for a socket that does not open or ends otherwise than
  // with 1000.
  function call(request, callback, error) {
    if (!window.WebSocket) {
      if (error) { error(); }
      return;
    }
    var socket;
    try {
      socket = new WebSocket(CAPIWS.URL);
    } catch (e) {
      if (error) { error(e); }
      return;
    }
    socket.onerror = function (e) { if (error) { error(e); } };
    socket.onclose = function (e) { if (error && e.code !== 1000) { error(e.code); } };
    socket.onmessage = function (event) {
      var data = JSON.parse(event.data);
      socket.close();
      callback(event, data);
    };
    socket.onopen = function () { socket.send(JSON.stringify(request)); };
  }
  return {
    URL: url(),
    callFunction: call,
    version: function (callback, error) { call({name: "version"}, callback, error); },
    apidoc: function (callback, error) { call({name: "apidoc"}, callback, error); },
    apikey: function (domainAndKey, callback, error) {
      call({name: "apikey", "arguments": domainAndKey}, callback, error);
    }
  };
}());
