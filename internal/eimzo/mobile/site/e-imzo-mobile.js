// e-imzo-mobile.js: what a site's page needs for ID-CARD E-IMZO MOBILE. The
// digest of GOST R 34.11-94, the code with its check sum, the link, the QR code
// and the polling of the status, in one file without dependencies.
//
//   const answer = await EIMZOMobile.start('/frontend/mobile/auth');
//   const code = EIMZOMobile.code(answer.siteId, answer.documentId, answer.challange);
//   EIMZOMobile.drawQR(document.getElementById('qr'), code);
//   link.href = EIMZOMobile.link(code);
//   const result = await EIMZOMobile.poll({url: '/frontend/mobile/status', documentId: answer.documentId});
//   if (result.status === 1) { ... ask the site's own back end who it is ... }
//
// docs/mobile.md of Imzo describes every function.
(function (root) {
  'use strict';

  // ---- GOST R 34.11-94 (RFC 5831) with the S-box of CryptoPro (RFC 4357 11.2)

  // One row for each four bits of a word, the lowest first.
  const ROWS = [
    'A4568137DCE092BF', '5F402DB91763CEA8', '7FCE94103B526A8D', '4A7C0F28E165DB93',
    '764B9C2A180EFD35', '7624D9F0A15B8EC3', 'DE41705A3C8F629B', '13A95B4F867ED02C'
  ];

  // BOXES joins two rows into one table of octets, at their place in the word
  // and turned left by eleven bits.
  const BOXES = [0, 1, 2, 3].map(function (pair) {
    const table = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const low = parseInt(ROWS[2 * pair][i & 15], 16), high = parseInt(ROWS[2 * pair + 1][i >> 4], 16);
      const word = (high << 4 | low) << 8 * pair;
      table[i] = word << 11 | word >>> 21;
    }
    return table;
  });

  function round(word) {
    return BOXES[0][word & 255] ^ BOXES[1][word >>> 8 & 255] ^ BOXES[2][word >>> 16 & 255] ^ BOXES[3][word >>> 24];
  }

  // The constant of the third key, lowest octet first (RFC 5831 6.1).
  const C3 = [
    0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00,
    0x00, 0xff, 0xff, 0x00, 0xff, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0xff
  ];

  // turn is the function A of the standard: y4 y3 y2 y1 -> (y1 ^ y2) y4 y3 y2.
  function turn(y) {
    const out = new Uint8Array(32);
    out.set(y.subarray(8));
    for (let i = 0; i < 8; i++) { out[24 + i] = y[i] ^ y[8 + i]; }
    return out;
  }

  // keyOf is the permutation P, as eight words.
  function keyOf(u, v) {
    const words = new Uint32Array(8);
    for (let k = 0; k < 8; k++) {
      for (let i = 0; i < 4; i++) { words[k] |= (u[8 * i + k] ^ v[8 * i + k]) << 8 * i; }
    }
    return words;
  }

  function word(b, at) { return (b[at] | b[at + 1] << 8 | b[at + 2] << 16 | b[at + 3] << 24) >>> 0; }

  // encrypt is one block of GOST 28147-89 (RFC 5830 5).
  function encrypt(key, block, at, out) {
    let a = word(block, at), b = word(block, at + 4);
    for (let i = 0; i < 24; i += 2) {
      b ^= round(a + key[i & 7] >>> 0);
      a ^= round(b + key[(i & 7) + 1] >>> 0);
    }
    for (let i = 7; i > 0; i -= 2) {
      b ^= round(a + key[i] >>> 0);
      a ^= round(b + key[i - 1] >>> 0);
    }
    for (let i = 0; i < 4; i++) {
      out[at + i] = b >>> 8 * i;
      out[at + 4 + i] = a >>> 8 * i;
    }
  }

  // mix applies the function psi so many times to sixteen words: each time a
  // word comes behind them and the first is dropped.
  function mix(words, times) {
    const w = new Uint16Array(16 + times);
    w.set(words);
    for (let n = 0; n < times; n++) {
      w[n + 16] = w[n] ^ w[n + 1] ^ w[n + 2] ^ w[n + 3] ^ w[n + 12] ^ w[n + 15];
    }
    return w.subarray(times);
  }

  function into(words, b) {
    for (let i = 0; i < 16; i++) { words[i] ^= b[2 * i] | b[2 * i + 1] << 8; }
  }

  // step is the function of one block (RFC 5831 6).
  function step(h, m) {
    const s = new Uint8Array(32);
    let u = h, v = m;
    for (let i = 0; i < 4; i++) {
      if (i > 0) {
        u = turn(u);
        if (i === 2) { for (let j = 0; j < 32; j++) { u[j] ^= C3[j]; } }
        v = turn(turn(v));
      }
      encrypt(keyOf(u, v), h, 8 * i, s);
    }
    let words = new Uint16Array(16);
    into(words, s);
    words = mix(words, 12);
    into(words, m);
    words = mix(words, 1);
    into(words, h);
    words = mix(words, 61);
    for (let i = 0; i < 16; i++) {
      h[2 * i] = words[i];
      h[2 * i + 1] = words[i] >>> 8;
    }
  }

  // Hasher takes a document piece by piece.
  class Hasher {
    constructor() {
      this.h = new Uint8Array(32);
      this.sum = new Uint8Array(32);
      this.size = 0;
      this.rest = new Uint8Array(32);
      this.held = 0;
    }

    update(bytes) {
      this.size += bytes.length;
      for (let at = 0; at < bytes.length;) {
        const n = Math.min(32 - this.held, bytes.length - at);
        this.rest.set(bytes.subarray(at, at + n), this.held);
        this.held += n;
        at += n;
        if (this.held === 32) { this.block(); }
      }
      return this;
    }

    block() {
      step(this.h, this.rest);
      let carry = 0;
      for (let i = 0; i < 32; i++) {
        carry += this.sum[i] + this.rest[i];
        this.sum[i] = carry;
        carry >>= 8;
      }
      this.rest = new Uint8Array(32);
      this.held = 0;
    }

    // digest returns 64 hexadecimal digits; nothing may follow it.
    digest() {
      if (this.held > 0) { this.block(); }
      const length = new Uint8Array(32);
      for (let i = 0, bits = this.size * 8; bits > 0; i++, bits = Math.floor(bits / 256)) { length[i] = bits % 256; }
      step(this.h, length);
      step(this.h, this.sum);
      return hex(this.h);
    }
  }

  function hex(bytes) {
    return Array.from(bytes, function (b) { return b.toString(16).padStart(2, '0'); }).join('');
  }

  function unhex(text) {
    return Uint8Array.from(text.match(/../g), function (pair) { return parseInt(pair, 16); });
  }

  // cesu8 encodes each UTF-16 unit by itself (Unicode TR 26), as the encoder of
  // E-IMZO's own demo does: beyond the first plane it differs from UTF-8.
  function cesu8(text) {
    const out = [];
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c < 0x80) {
        out.push(c);
      } else if (c < 0x800) {
        out.push(0xc0 | c >> 6, 0x80 | c & 63);
      } else {
        out.push(0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63);
      }
    }
    return Uint8Array.from(out);
  }

  function octets(content, options) {
    if (typeof content === 'string') {
      return options && options.cesu8 ? cesu8(content) : new TextEncoder().encode(content);
    }
    if (content instanceof Uint8Array) { return content; }
    if (content instanceof ArrayBuffer) { return new Uint8Array(content); }
    throw new TypeError('content is a string, a Uint8Array or an ArrayBuffer');
  }

  function hash(content, options) {
    return new Hasher().update(octets(content, options)).digest();
  }

  // hashFile reads a File or Blob piece by piece.
  async function hashFile(file) {
    const hasher = new Hasher(), piece = 1 << 20;
    for (let at = 0; at < file.size; at += piece) {
      hasher.update(new Uint8Array(await file.slice(at, at + piece).arrayBuffer()));
    }
    return hasher.digest();
  }

  // ---- the code

  const CRC = new Uint32Array(256).map(function (_, i) {
    for (let n = 0; n < 8; n++) { i = i & 1 ? i >>> 1 ^ 0xedb88320 : i >>> 1; }
    return i;
  });

  // crc32 is that of IEEE 802.3, of octets.
  function crc32(bytes) {
    let c = 0xffffffff;
    for (const b of bytes) { c = c >>> 8 ^ CRC[(c ^ b) & 255]; }
    return (c ^ 0xffffffff) >>> 0;
  }

  function digits(what, text, length) {
    if (typeof text !== 'string' || text.length !== length || /[^0-9a-f]/i.test(text)) {
      throw new TypeError(what + ' is ' + length + ' hexadecimal digits');
    }
    return text;
  }

  function code(siteId, documentId, content, options) {
    return codeOfHash(siteId, documentId, hash(content, options));
  }

  function codeOfHash(siteId, documentId, digest) {
    const payload = digits('siteId', siteId, 4) + digits('documentId', documentId, 8).toUpperCase() + digits('hash', digest, 64).toLowerCase();
    return payload + crc32(unhex(payload)).toString(16).padStart(8, '0');
  }

  function link(qc) { return 'eimzo://sign?qc=' + digits('code', qc, 84); }

  // groups are those that the phone shows: of a code, or of a hash.
  function groups(text) {
    const digest = text.length === 84 ? text.slice(12, 76) : text;
    return digits('hash', digest, 64).toLowerCase().match(/.{16}/g);
  }

  // ---- the QR code (ISO/IEC 18004), in octets, at level M, up to version 6

  // For versions 1 to 6: blocks, octets of data and of correction in each.
  const BLOCKS = [[1, 16, 10], [1, 28, 16], [1, 44, 26], [2, 32, 18], [2, 43, 24], [4, 27, 16]];

  const EXP = new Uint8Array(510), LOG = new Uint8Array(256);
  for (let i = 0, x = 1; i < 255; i++) {
    EXP[i] = EXP[i + 255] = x;
    LOG[x] = i;
    x = x << 1 ^ (x & 128 ? 0x11d : 0);
  }

  function times(a, b) { return a && b ? EXP[LOG[a] + LOG[b]] : 0; }

  // correction is the rest of a division by the generator of so many roots.
  function correction(data, count) {
    let generator = [1];
    for (let i = 0; i < count; i++) {
      const next = generator.concat(0);
      generator.forEach(function (g, j) { next[j + 1] ^= times(g, EXP[i]); });
      generator = next;
    }
    const rest = data.concat(new Array(count).fill(0));
    for (let i = 0; i < data.length; i++) {
      const lead = rest[i];
      generator.forEach(function (g, j) { rest[i + j] ^= times(g, lead); });
    }
    return rest.slice(data.length);
  }

  function codewords(bytes, version) {
    const blocks = BLOCKS[version - 1][0], size = BLOCKS[version - 1][1], checks = BLOCKS[version - 1][2];
    const nibbles = [4, bytes.length >> 4, bytes.length & 15];
    bytes.forEach(function (b) { nibbles.push(b >> 4, b & 15); });
    nibbles.push(0); // the end, which always has room, up to a whole octet
    const data = [];
    for (let i = 0; i < nibbles.length; i += 2) { data.push(nibbles[i] << 4 | nibbles[i + 1]); }
    for (let pad = 0xec; data.length < blocks * size; pad ^= 0xec ^ 0x11) { data.push(pad); }
    const parts = [], ends = [];
    for (let b = 0; b < blocks; b++) {
      parts.push(data.slice(b * size, (b + 1) * size));
      ends.push(correction(parts[b], checks));
    }
    const out = [];
    for (let i = 0; i < size; i++) { parts.forEach(function (p) { out.push(p[i]); }); }
    for (let i = 0; i < checks; i++) { ends.forEach(function (p) { out.push(p[i]); }); }
    return out;
  }

  const MASKS = [
    function (r, c) { return (r + c) % 2; }, function (r) { return r % 2; }, function (r, c) { return c % 3; },
    function (r, c) { return (r + c) % 3; }, function (r, c) { return ((r >> 1) + Math.floor(c / 3)) % 2; },
    function (r, c) { return r * c % 2 + r * c % 3; }, function (r, c) { return (r * c % 2 + r * c % 3) % 2; },
    function (r, c) { return ((r + c) % 2 + r * c % 3) % 2; }
  ];

  // frame draws what is the same in every code of a version: null is free.
  function frame(version) {
    const size = 17 + 4 * version;
    const m = Array.from({length: size}, function () { return new Array(size).fill(null); });
    function square(row, col, reach, dark) {
      for (let r = -reach; r <= reach; r++) {
        for (let c = -reach; c <= reach; c++) {
          if (m[row + r] && m[row + r][col + c] !== undefined) { m[row + r][col + c] = dark(Math.max(Math.abs(r), Math.abs(c))); }
        }
      }
    }
    for (let i = 8; i < size - 8; i++) { m[6][i] = m[i][6] = i % 2 === 0; }
    const finder = function (ring) { return ring !== 2 && ring !== 4; };
    square(3, 3, 4, finder);
    square(3, size - 4, 4, finder);
    square(size - 4, 3, 4, finder);
    if (version > 1) { square(size - 7, size - 7, 2, function (ring) { return ring !== 1; }); }
    format(m, 0); // keeps its place
    return m;
  }

  // format writes level M and the mask, twice.
  function format(m, mask) {
    const size = m.length;
    let rest = mask << 10;
    for (let i = 4; i >= 0; i--) { if (rest >> i + 10 & 1) { rest ^= 0x537 << i; } }
    const bits = (mask << 10 | rest) ^ 0x5412;
    for (let i = 0; i < 15; i++) {
      const dark = (bits >> i & 1) === 1;
      if (i < 6) { m[i][8] = dark; } else if (i < 8) { m[i + 1][8] = dark; } else if (i === 8) { m[8][7] = dark; } else { m[8][14 - i] = dark; }
      if (i < 8) { m[8][size - 1 - i] = dark; } else { m[size - 15 + i][8] = dark; }
    }
    m[size - 8][8] = true;
  }

  function fill(m, words, mask) {
    const size = m.length;
    let bit = 0, up = true;
    for (let right = size - 1; right > 0; right -= 2, up = !up) {
      if (right === 6) { right = 5; } // the column of the timing pattern
      for (let i = 0; i < size; i++) {
        const row = up ? size - 1 - i : i;
        for (let col = right; col > right - 2; col--) {
          if (m[row][col] !== null) { continue; }
          const dark = bit < 8 * words.length && words[bit >> 3] >> 7 - (bit & 7) & 1;
          bit++;
          m[row][col] = Boolean(dark) !== (MASKS[mask](row, col) === 0);
        }
      }
    }
    format(m, mask);
  }

  // penalty tells how hard a code is to read (ISO/IEC 18004 7.8.3).
  function penalty(m) {
    const size = m.length;
    let points = 0, dark = 0;
    const lines = m.map(function (row) { return row.map(Number).join(''); });
    m.forEach(function (_, c) { lines.push(m.map(function (row) { return Number(row[c]); }).join('')); });
    lines.forEach(function (line) {
      (line.match(/0{5,}|1{5,}/g) || []).forEach(function (run) { points += run.length - 2; });
      for (let i = 0; i + 11 <= size; i++) {
        const part = line.slice(i, i + 11);
        if (part === '10111010000' || part === '00001011101') { points += 40; }
      }
    });
    for (let r = 0; r < size; r++) {
      for (let c = 0; c < size; c++) {
        if (m[r][c]) { dark++; }
        if (r && c && m[r][c] === m[r - 1][c] && m[r][c] === m[r][c - 1] && m[r][c] === m[r - 1][c - 1]) { points += 3; }
      }
    }
    return points + 10 * Math.floor(Math.abs(20 * dark - 10 * size * size) / (size * size));
  }

  // modules returns the rows of a code, true where it is dark.
  function modules(text) {
    const bytes = new TextEncoder().encode(text);
    const version = 1 + BLOCKS.findIndex(function (b) { return bytes.length + 2 <= b[0] * b[1]; });
    if (version === 0) { throw new RangeError('the text is longer than 106 octets'); }
    const words = codewords(bytes, version);
    let best = null, least = Infinity;
    for (let mask = 0; mask < 8; mask++) {
      const m = frame(version);
      fill(m, words, mask);
      const points = penalty(m);
      if (points < least) { best = m; least = points; }
    }
    return best;
  }

  const QUIET = 4; // modules of white around a code

  // drawQR draws into a canvas, or puts an SVG image into any other element.
  function drawQR(element, text, options) {
    const m = modules(text), side = m.length + 2 * QUIET;
    if (element instanceof HTMLCanvasElement) {
      const scale = Math.max(1, Math.floor((options && options.size || 296) / side));
      element.width = element.height = scale * side;
      const pen = element.getContext('2d');
      pen.fillStyle = '#fff';
      pen.fillRect(0, 0, element.width, element.height);
      pen.fillStyle = '#000';
      m.forEach(function (row, r) {
        row.forEach(function (dark, c) { if (dark) { pen.fillRect((c + QUIET) * scale, (r + QUIET) * scale, scale, scale); } });
      });
      return element;
    }
    const space = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(space, 'svg'), ground = document.createElementNS(space, 'rect'), path = document.createElementNS(space, 'path');
    let d = '';
    m.forEach(function (row, r) {
      row.forEach(function (dark, c) { if (dark) { d += 'M' + (c + QUIET) + ' ' + (r + QUIET) + 'h1v1h-1z'; } });
    });
    svg.setAttribute('viewBox', '0 0 ' + side + ' ' + side);
    svg.setAttribute('width', String(options && options.size || 296));
    svg.setAttribute('height', String(options && options.size || 296));
    svg.setAttribute('shape-rendering', 'crispEdges');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', options && options.label || 'QR');
    ground.setAttribute('width', String(side));
    ground.setAttribute('height', String(side));
    ground.setAttribute('fill', '#fff');
    path.setAttribute('d', d);
    path.setAttribute('fill', '#000');
    svg.append(ground, path);
    element.replaceChildren(svg);
    return svg;
  }

  // ---- the server

  // start begins a log-in or a signature: /frontend/mobile/auth or /sign.
  async function start(url) {
    const response = await fetch(url, {method: 'POST', cache: 'no-store'});
    if (!response.ok) { throw new Error('HTTP ' + response.status); }
    const answer = await response.json();
    if (answer.status !== 1) { throw new Error(answer.message || 'status ' + answer.status); }
    return answer;
  }

  // poll asks for the status until it is another than 2, "not uploaded yet". It
  // resolves to the server's answer; after the time is over to that with
  // status 2, and timeout true. Lost connections are tried again.
  async function poll(options) {
    const every = options.every || 1000, until = Date.now() + (options.most || 100000);
    let last = {status: 2, message: null};
    for (;;) {
      const left = until - Date.now();
      if (options.onTick) { options.onTick(Math.max(0, Math.ceil(left / 1000))); }
      if (left <= 0) { return Object.assign({}, last, {timeout: true}); }
      await pause(Math.min(every, left), options.signal);
      try {
        const response = await fetch(options.url, {
          method: 'POST', cache: 'no-store', signal: options.signal,
          headers: {'Content-Type': 'application/x-www-form-urlencoded'},
          body: 'documentId=' + encodeURIComponent(options.documentId)
        });
        if (response.ok) {
          const answer = await response.json();
          if (answer.status !== 2) { return answer; }
          last = answer;
        }
      } catch (error) {
        if (options.signal && options.signal.aborted) { throw error; }
      }
    }
  }

  function pause(time, signal) {
    return new Promise(function (resolve, reject) {
      const stop = function () {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(function () {
        if (signal) { signal.removeEventListener('abort', stop); }
        resolve();
      }, time);
      if (signal && signal.aborted) { stop(); } else if (signal) { signal.addEventListener('abort', stop, {once: true}); }
    });
  }

  root.EIMZOMobile = Object.freeze({
    Hasher: Hasher, hash: hash, hashFile: hashFile, crc32: crc32, code: code, codeOfHash: codeOfHash, link: link, groups: groups,
    modules: modules, drawQR: drawQR, start: start, poll: poll
  });
})(typeof globalThis === 'undefined' ? window : globalThis);
