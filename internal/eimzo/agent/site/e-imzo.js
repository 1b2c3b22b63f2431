"use strict";
// Calls the signing program of this computer. Written for Imzo; the names are
// those that pages know.

// Base64 of text (as UTF-8) and back.
var Base64 = {
  encode: function (text) {
    var bytes = new TextEncoder().encode(text), binary = "";
    for (var i = 0; i < bytes.length; i += 0x8000) {
      binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000));
    }
    return btoa(binary);
  },
  decode: function (text) {
    var binary = atob(text), bytes = new Uint8Array(binary.length);
    for (var i = 0; i < binary.length; i++) { bytes[i] = binary.charCodeAt(i); }
    return new TextDecoder().decode(bytes);
  }
};
Base64.toBase64 = Base64.encode;
Base64.fromBase64 = Base64.decode;
Base64.encodeURI = function (text) {
  return Base64.encode(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

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
