'use strict';
// The phone: reads a code, shows what it asks for, asks the PIN. All that
// matters is done by the program behind the page.
(function () {
  const texts = JSON.parse(document.getElementById('texts').textContent);
  const language = document.documentElement.lang;
  const $ = function (id) { return document.getElementById(id); };
  const canvas = document.createElement('canvas');
  let current = '', cards = [], stream = null, busy = false;

  function show(name) {
    ['scan', 'request', 'result'].forEach(function (id) { $(id).hidden = id !== name; });
  }

  function fail(message) {
    $('error').textContent = message;
    $('error').hidden = !message;
  }

  async function call(what, body) {
    let response;
    try {
      response = await fetch('/phone/api/' + what + '?lang=' + encodeURIComponent(language), {
        method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body), cache: 'no-store'
      });
      return await response.json();
    } catch (error) {
      return {error: 'answer', message: texts.noAnswer};
    }
  }

  // open shows what a link, or the text of a code, asks for.
  async function open(link) {
    if (busy) { return; }
    busy = true;
    stop();
    fail('');
    const answer = await call('open', {link: link});
    busy = false;
    if (answer.error) {
      show('scan');
      fail(answer.message);
      return;
    }
    current = link;
    cards = answer.cards || [];
    $('site').textContent = answer.site.name;
    $('domain').textContent = answer.site.domain;
    $('site-id').textContent = answer.site.siteId;
    $('document-id').textContent = answer.documentId;
    $('groups').replaceChildren.apply($('groups'), answer.groups.map(function (group) {
      const span = document.createElement('span');
      span.textContent = group;
      return span;
    }));
    $('card').replaceChildren.apply($('card'), cards.map(function (card) {
      const option = document.createElement('option');
      option.value = card.id;
      option.textContent = card.holder + ' (' + card.id + ')';
      return option;
    }));
    $('sign').disabled = cards.length === 0;
    if (cards.length === 0) { fail(texts.noCards); }
    facts();
    show('request');
    $('pin').value = '';
    $('pin').focus();
  }

  function facts() {
    const card = cards.find(function (c) { return c.id === $('card').value; });
    let text = '';
    if (card) {
      text = card.serial + ' · ' + card.until;
      if (card.triesLeft >= 0) { text += ' · ' + texts.tries + ': ' + card.triesLeft; }
    }
    $('card-facts').textContent = text;
  }

  // decode finds a code in a picture, drawn so wide.
  function decode(picture, width, height, most, inverted) {
    const scale = Math.min(1, most / Math.max(width, height));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const image = pen.getImageData(0, 0, canvas.width, canvas.height);
    const found = jsQR(image.data, image.width, image.height, {inversionAttempts: inverted ? 'attemptBoth' : 'dontInvert'});
    return found && found.data;
  }

  async function fromFile(file) {
    fail('');
    let text = null;
    try {
      const picture = await createImageBitmap(file);
      for (const most of [1000, 2000, 500]) {
        text = decode(picture, picture.width, picture.height, most, true);
        if (text) { break; }
      }
      picture.close();
    } catch (error) {
      text = null; // no picture
    }
    if (text) { await open(text); } else { fail(texts.noCode); }
  }

  async function watch() {
    fail('');
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}, audio: false});
    } catch (error) {
      fail(texts.noCamera);
      return;
    }
    const video = $('video');
    video.srcObject = stream;
    video.hidden = $('stop').hidden = false;
    $('camera').hidden = true;
    await video.play();
    look();
  }

  // look tries a picture of the camera six times a second.
  function look() {
    if (!stream) { return; }
    const video = $('video');
    if (video.videoWidth > 0) {
      const text = decode(video, video.videoWidth, video.videoHeight, 800, false);
      if (text) {
        open(text);
        return;
      }
    }
    setTimeout(look, 160);
  }

  function stop() {
    if (stream) { stream.getTracks().forEach(function (track) { track.stop(); }); }
    stream = null;
    $('video').srcObject = null;
    $('video').hidden = $('stop').hidden = true;
    $('camera').hidden = false;
  }

  async function sign() {
    if (busy) { return; }
    busy = true;
    fail('');
    const label = $('sign').textContent, pin = $('pin').value;
    $('pin').value = '';
    $('sign').disabled = true;
    $('sign').textContent = texts.working;
    const answer = await call('sign', {link: current, card: $('card').value, pin: pin});
    busy = false;
    $('sign').disabled = false;
    $('sign').textContent = label;
    if (answer.error) {
      const card = cards.find(function (c) { return c.id === $('card').value; });
      if (card && answer.triesLeft !== undefined) { card.triesLeft = answer.triesLeft; }
      if (card && answer.error === 'blocked') { card.triesLeft = 0; }
      facts();
      fail(answer.message);
      $('pin').focus();
      return;
    }
    const accepted = answer.outcome.accepted;
    $('result-text').textContent = answer.message;
    $('result-text').className = accepted ? 'good' : 'bad';
    const said = answer.outcome.site && answer.outcome.site.message;
    $('result-detail').textContent = accepted ? '' : answer.outcome.message + (said ? ': ' + said : '');
    show('result');
  }

  function restart() {
    current = '';
    fail('');
    $('pin').value = $('link').value = $('picture').value = '';
    history.replaceState(null, '', '/phone/?lang=' + encodeURIComponent(language));
    show('scan');
  }

  document.querySelectorAll('.language').forEach(function (a) {
    a.addEventListener('click', function () { // keeps what is open
      if (current) { a.href += '&link=' + encodeURIComponent(current); }
    });
  });
  $('camera').addEventListener('click', watch);
  $('stop').addEventListener('click', stop);
  $('picture').addEventListener('change', function () { if (this.files[0]) { fromFile(this.files[0]); } });
  $('by-link').addEventListener('submit', function (e) {
    e.preventDefault();
    open($('link').value);
  });
  $('card').addEventListener('change', facts);
  $('signing').addEventListener('submit', function (e) {
    e.preventDefault();
    sign();
  });
  $('refuse').addEventListener('click', restart);
  $('again').addEventListener('click', restart);
  document.addEventListener('paste', function (e) {
    if ($('scan').hidden) { return; }
    const item = Array.from(e.clipboardData.items).find(function (i) { return i.type.startsWith('image/'); });
    if (item) {
      e.preventDefault();
      fromFile(item.getAsFile());
    } else if (e.target.id !== 'link') {
      open(e.clipboardData.getData('text'));
    }
  });
  const link = new URLSearchParams(location.search).get('link');
  if (link) { open(link); }
})();
