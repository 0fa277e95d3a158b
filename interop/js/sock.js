// Tunnels: what the JavaScript peer serves and what it asks for.
'use strict';

const net = require('net');

/** Serves every tunnel, to an echo of TCP of its own; resolves to its port. */
function serve(mesh) {
  mesh.sock(() => true);
  return listen(net.createServer((tcp) => tcp.on('error', () => {}).pipe(tcp)));
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

/** A port that is free. */
async function freePort() {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves once `stream` gave back `body`. */
function echoed(stream, body) {
  const pieces = [];
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (data) => {
      pieces.push(data);
      const all = Buffer.concat(pieces);
      if (all.length < body.length) return;
      if (all.equals(body)) resolve({ bytes: body.length });
      else reject(new Error('the echo differs from what was sent'));
    });
    stream.on('end', () => reject(new Error(`it ended after ${Buffer.concat(pieces).length} bytes`)));
  });
}

/** Tests for `dial`; `body` is what to send. */
const tests = {
  /** Through the other side to an echo here. */
  async connect(link, body) {
    const port = await listen(net.createServer((tcp) => tcp.on('error', () => {}).pipe(tcp)));
    return exchanged(link.connect({ ip: '127.0.0.1', port }), body);
  },

  /** A port of the other side. */
  async bind(link) {
    const port = await bound(link);
    (await connected(port)).destroy();
    return { port };
  },

  /** What connects to such a port is echoed here. */
  async accept(link, body) {
    return exchanged(await connected(await bound(link)), body);
  },
};

/** Has `stream` echo `body`, and ends it. */
async function exchanged(stream, body) {
  const done = echoed(stream, body);
  stream.write(body);
  const info = await done;
  stream.end();
  return info;
}

/** A port of the other side, whose connections are echoed here. */
async function bound(link) {
  const port = await freePort();
  link.server({ port, type: 'TCP' }, (open, accept) => {
    const stream = accept();
    stream.on('data', (data) => stream.write(Buffer.from(data)));
    stream.on('error', () => {});
  });
  return port;
}

/** The library does not tell when the port is bound. */
async function connected(port) {
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        const tcp = net.connect(port, '127.0.0.1', () => resolve(tcp));
        tcp.on('error', reject);
      });
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

module.exports = { extension: require('telehash/ext/sock.js'), serve, tests };
