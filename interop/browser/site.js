#!/usr/bin/env node
// The web site that `mesh serve URL` passes on, on 127.0.0.1 and a free port. It forbids nobody anything: whoever is kept
// out was kept out on the way.
//
//   node site.js
//
// Standard output carries one JSON object, {"event":"site","port":N}, once it listens. It runs until SIGTERM or until its
// standard input closes.
//
//   GET  /          a page with a link, a form that uploads a file, and a script that talks WebSocket
//   GET  /second    where the link leads
//   POST /upload    length and SHA-256 of the file, as a page
//   WS   /ws        an echo; the text "bye" makes the server close with 4002
//   GET  /_heard    all that came but for this, as JSON: requests as "METHOD /path", closed WebSockets as "WS code reason"
//   *    anything   200, readable by every origin
'use strict';

const crypto = require('crypto');
const http = require('http');
const { WebSocketServer } = require('ws');

const MAX_BODY = 1 << 20;
const heard = [];

/** What makes a browser show a response to every page that asked. */
function forEverybody(request) {
  return {
    'access-control-allow-origin': request.headers.origin ?? '*',
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, POST, PUT, DELETE',
    'access-control-allow-headers': 'content-type, x-any',
    'access-control-allow-private-network': 'true',
    'cross-origin-resource-policy': 'cross-origin',
    'cross-origin-opener-policy': 'unsafe-none',
    'timing-allow-origin': '*',
  };
}

const page = (title, body) => `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>${title}</title>
<style>body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 3em auto } output { display: block; white-space: pre }</style>
<h1>${title}</h1>
${body}
</html>
`;

const FRONT = page('A site on the mesh', `
<p>Served by <code>mesh serve</code>, seen through <code>mesh proxy</code>.</p>
<p><a href="/second">The second page</a></p>
<form method="post" action="/upload" enctype="multipart/form-data">
  <input type="file" name="file"> <button>Upload</button>
</form>
<p><button id="talk">Talk WebSocket</button></p>
<output id="said"></output>
<script>
  const said = document.getElementById('said');
  const say = (line) => { said.textContent += line + '\\n'; };
  const talk = (last, close) => new Promise((resolve) => {
    const socket = new WebSocket('ws://' + location.host + '/ws');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { socket.send('hello'); socket.send(Uint8Array.from({ length: 70000 }, (_, i) => i)); };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') return say('text ' + data);
      const bytes = new Uint8Array(data);
      say('binary ' + bytes.length + (bytes.every((byte, i) => byte === i % 256) ? ' as sent' : ' changed'));
      last(socket);
    };
    socket.onerror = () => say('error');
    socket.onclose = ({ code, reason, wasClean }) => {
      say('closed ' + code + ' ' + reason + (wasClean ? ' cleanly' : ''));
      resolve();
    };
  });
  document.getElementById('talk').onclick = async () => {
    await talk((socket) => socket.close(4001, 'from the page'));
    await talk((socket) => socket.send('bye'));
    say('done');
  };
</script>`);

async function body(request) {
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > MAX_BODY) throw new Error('too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function uploaded(request) {
  const form = await new Response(await body(request), { headers: request.headers }).formData();
  const file = form.get('file');
  const sha256 = crypto.createHash('sha256').update(Buffer.from(await file.arrayBuffer())).digest('hex');
  return page('Uploaded', `<p id="name">${file.name.replace(/[^\w.]/g, '')}</p><p id="length">${file.size}</p><p id="sha256">${sha256}</p>`);
}

async function answer(request, response) {
  const { method, url } = request;
  if (url === '/_heard') return response.end(JSON.stringify(heard));
  heard.push(`${method} ${url}`);
  const html = { ...forEverybody(request), 'content-type': 'text/html; charset=utf-8' };
  switch (`${method} ${url.split('?')[0]}`) {
    case 'GET /':
      return response.writeHead(200, html).end(FRONT);
    case 'GET /second':
      return response.writeHead(200, html).end(page('The second page', '<p>A link led here.</p>'));
    case 'POST /upload':
      return response.writeHead(200, html).end(await uploaded(request));
    default:
      await body(request);
      // Harmless as a picture, a script, a style and text alike, and told apart from every answer of a proxy.
      return response.writeHead(200, { ...html, 'content-type': 'text/javascript' }).end('window.secret = "secret";');
  }
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(`${error}`));
});

new WebSocketServer({ server, maxPayload: MAX_BODY }).on('connection', (socket, request) => {
  heard.push(`WS ${request.url}`);
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    if (!isBinary && `${data}` === 'bye') return socket.close(4002, 'from the site');
    socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => heard.push(`WS closed ${code} ${reason}`));
});

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ event: 'site', port: server.address().port }));
});
process.stdin.on('end', () => process.exit()).resume();
