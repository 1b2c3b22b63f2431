"use strict";
// Shows the functions that the agent says it has.
(function () {
  var keys = [
    "localhost", "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B",
    "127.0.0.1", "A7BCFA5D490B351BE0754130DF03A068F855DB4333D43921125B9CF2670EF6A40370C646B90401955E1F7BC9CDBF59CE0B2C5467D820BE189C845D0B79CFC96F",
    "null", "E0A205EC4E7B78BBB56AFF83A733A1BB9FD39D562E67978CC5E7D73B0951DB1954595A20672A63332535E13CC6EC1E1FC8857BB09E0855D7E76E411B6FA16E9D"
  ];
  function element(name, text, parent) {
    var e = document.createElement(name);
    e.textContent = text;
    parent.appendChild(e);
    return e;
  }
  function say(text) { document.getElementById("state").textContent = text; }
  function failed(error) { say(String(error)); }
  function show(event, doc) {
    var contents = document.getElementById("contents");
    var functions = document.getElementById("functions");
    var count = 0;
    doc.forEach(function (plugin) {
      element("h2", plugin.name, functions);
      element("p", plugin.description, functions);
      var list = element("ul", "", contents);
      plugin.functions.forEach(function (f) {
        var id = f.plugin + "." + f.name;
        var args = f.arguments.map(function (a) { return a.name + (a.optional ? "?" : ""); });
        element("a", id, element("li", "", list)).href = "#" + id;
        element("h3", id + "(" + args.join(", ") + ")", functions).id = id;
        element("p", f.description, functions);
        if (f.arguments.length > 0) {
          var table = element("dl", "", functions);
          f.arguments.forEach(function (a) {
            element("dt", a.name, table);
            element("dd", a.description, table);
          });
        }
        count++;
      });
    });
    say(count + " функций");
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) { target.scrollIntoView(); }
  }
  // The agent that serves this page, whatever its port.
  CAPIWS.URL = (location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/service/cryptapi";
  CAPIWS.apikey(keys, function (event, data) {
    if (!data.success) { say(data.reason); return; }
    CAPIWS.apidoc(show, failed);
  }, failed);
}());
