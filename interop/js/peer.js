#!/usr/bin/env node
// A live telehash-js peer for the interoperability matrix. It binds to 127.0.0.1 only, unless it is told otherwise.
//
//   node peer.js listen [--cs 3a] [--transport udp4] [--link-out FILE] [--route] [--via FILE]
//   node peer.js dial --link FILE [--cs 3a] [--transport udp4] [--identity FILE] [--tests link,path,stream,unknown]
//                     [--bytes 40000] [--timeout 15000] [--via FILE] [--chat ID]
//   node peer.js discover [--cs 3a]
//
// discover binds to all addresses and broadcasts: run it in a network namespace. It announces itself every second, and
// links to whoever announces itself.
//
// --transport is the only one that the endpoint has: udp4 or tcp4.
// --route has it route for everybody; --via has it use the router with this link JSON. Then `dial` takes nothing but
// the hashname from its --link.
// --tests may also name those of sock.js, thtp.js and chat.js; `listen` serves what they ask for. --chat is the chat that
// the other side leads.
// --identity takes an identity file instead of making an identity with --cs.
//
// Standard output carries one JSON object a line and nothing else:
//
//   {"event":"ready","hashname":…,"link":{hashname, keys, paths}}    listen: may be dialled now; "tunnels" is the
//                                                                    port of an echo that tunnels may lead to, "chat"
//                                                                    the chat that it leads
//   {"event":"link","hashname":…,"up":true|false}                    a link changed its state
//   {"event":"discover","hashname":…}                                discover: another endpoint announced itself
//   {"event":"stream","hashname":…,"bytes":N}                        listen: a stream was echoed and ended
//   {"event":"chat","left":…}                                        listen: somebody is not in a chat any more
//   {"event":"result","test":…,"ok":true|false,"error"?,"info"?}     dial: one line a test
//   {"event":"fatal","error":…}                                      this process is about to exit with 1
//
// `dial` exits with 0 if every test passed and with 1 otherwise; `listen` and `discover` run until SIGTERM or until
// their standard input closes, so that they never outlive whoever started them.
'use strict';

const fs = require('fs');
const { parseArgs } = require('util');

process.noDeprecation = true;
process.env.PURE = 'true'; // its pure JavaScript cryptography: no native modules are installed

const emit = process.stdout.write.bind(process.stdout);
const say = (line) => emit(`${JSON.stringify(line)}\n`);
for (const name of ['log', 'info', 'trace', 'warn']) console[name] = () => {}; // the library chats on stdout

const telehash = require('telehash/lib/mesh.js');
telehash.log({ error: console.error, warn() {}, info() {}, debug() {} });

const chat = require('./chat.js');
const sock = require('./sock.js');
const thtp = require('./thtp.js');
const EXTENSIONS = {
  path: require('telehash/ext/path.js'),
  stream: require('telehash/ext/stream.js'),
  sock: sock.extension,
  thtp: thtp.extension,
  chat: chat.extension,
};
/** As a router, or through one. */
const ROUTING = { peer: require('telehash/ext/peer.js') };
const TRANSPORTS = { udp4: require('telehash-udp4'), tcp4: require('telehash-tcp4') };
/** The library never sends a lost open again, and it reports a link before its peer has seen its last handshake. */
const SETTLE_MS = 200;
/** And later than that through a router. */
const ROUTED_SETTLE_MS = 500;
/** The library announces once a call. */
const ANNOUNCE_MS = 1000;

function fatal(error) {
  say({ event: 'fatal', error: String((error && error.stack) || error) });
  process.exit(1);
}
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);

/** A fresh identity with a key of each cipher set in `csids`. */
async function generate(csids) {
  const identity = { keys: {}, secrets: {} };
  for (const csid of csids) {
    const pair = await telehash.e3x.cs[csid].generate();
    identity.keys[csid] = telehash.base32.encode(pair.key);
    identity.secrets[csid] = telehash.base32.encode(pair.secret);
  }
  identity.hashname = telehash.hashname.fromKeys(identity.keys);
  return identity;
}

/** Brings an endpoint up on a free port of the loopback interface, or of `ip`. */
async function start(options, ip = '127.0.0.1') {
  const id = options.identity
    ? JSON.parse(fs.readFileSync(options.identity, 'utf8'))
    : await generate(options.cs.split(','));
  const mesh = await new Promise((resolve, reject) => {
    const { transport } = options;
    if (!TRANSPORTS[transport]) throw new Error(`there is no transport ${transport}`);
    const routing = options.route || options.via ? ROUTING : {};
    const extensions = { ...EXTENSIONS, ...routing, [transport]: TRANSPORTS[transport] };
    telehash.mesh({ id, ip, extensions }, (error, up) => (up ? resolve(up) : reject(error)));
  });
  const observer = {
    name: 'observer',
    link(link, done) {
      link.on('status', (down) => say({ event: 'link', hashname: link.hashname, up: !down }));
      done();
    },
  };
  mesh.extending(observer);
  return mesh;
}

/** Our own link JSON, with the loopback address in place of those of the real interfaces. */
function linkJson(mesh, type) {
  const { hashname, keys, paths } = mesh.json();
  const { port } = paths.find((path) => path.type === type);
  return { hashname, keys, paths: [{ type, ip: '127.0.0.1', port }] };
}

/** Links to the router in a file and uses it. */
async function useRouter(mesh, file, timeout) {
  const router = mesh.link(JSON.parse(fs.readFileSync(file, 'utf8')));
  if (!router) throw new Error(`no link to the router: ${mesh.err}`);
  await within(timeout, 'linking to the router', new Promise((resolve) => router.status((down) => down || resolve())));
  mesh.router(router, true);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return router;
}

// ---------------------------------------------------------------------------------------------------------- listen

async function listen(options) {
  const mesh = await start(options);
  mesh.accept = (from) => mesh.link(from);
  if (options.route) mesh.router(true);
  if (options.via) await useRouter(mesh, options.via, Number(options.timeout));
  mesh.stream((link, open, accept) => echo(link, accept()));
  thtp.serve(mesh);
  const tunnels = await sock.serve(mesh);
  const link = linkJson(mesh, options.transport);
  if (options['link-out']) fs.writeFileSync(options['link-out'], JSON.stringify(link));
  say({ event: 'ready', hashname: link.hashname, link, tunnels, chat: chat.serve(mesh, say) });
  untilToldToEnd();
}

function untilToldToEnd() {
  process.on('SIGTERM', () => process.exit(0));
  process.stdin.on('end', () => process.exit(0)).resume();
}

// -------------------------------------------------------------------------------------------------------- discover

async function discover(options) {
  const mesh = await start(options, '0.0.0.0');
  mesh.accept = (from) => {
    // Strangers' handshakes come here, too.
    if (!from.handshake) say({ event: 'discover', hashname: from.hashname });
    mesh.link(from);
  };
  mesh.discover(true);
  setInterval(() => mesh.discover(true), ANNOUNCE_MS);
  say({ event: 'ready', hashname: mesh.hashname });
  untilToldToEnd();
}

function echo(link, stream) {
  let bytes = 0;
  stream.on('error', (error) => say({ event: 'stream', hashname: link.hashname, bytes, error: String(error) }));
  stream.on('data', (data) => {
    bytes += data.length;
    stream.write(Buffer.from(data));
  });
  stream.on('end', () => {
    say({ event: 'stream', hashname: link.hashname, bytes });
    stream.end();
  });
}

// ------------------------------------------------------------------------------------------------------------ dial

/** Each test resolves to what it measured, or rejects. */
const TESTS = {
  async link(link) {
    return { csid: link.csid, at: link.x._at };
  },

  path(link) {
    return new Promise((resolve, reject) => {
      link.ping((error, ms) => (error ? reject(error) : resolve({ ms })));
    });
  },

  stream(link, options) {
    const body = pattern(Number(options.bytes));
    const stream = link.stream();
    const echoed = [];
    return new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (data) => echoed.push(data));
      stream.on('end', () => {
        const same = Buffer.concat(echoed).equals(body);
        if (same) resolve({ bytes: body.length });
        else reject(new Error(`${Buffer.concat(echoed).length} bytes came back, not the ${body.length} that were sent`));
      });
      feed(stream, body);
    });
  },

  unknown(link) {
    const open = { json: { type: 'no-such-channel' } };
    const channel = link.x.channel(open);
    return new Promise((resolve, reject) => {
      channel.receiving = (error) => {
        if (error === 'unknown type') resolve({ err: error });
        else reject(new Error(`expected "unknown type", got ${JSON.stringify(error)}`));
      };
      channel.send(open);
    });
  },
};

/** Bytes that no shift or swap leaves the same. */
function pattern(length) {
  const bytes = Buffer.alloc(length);
  let state = 12345;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** Writes `body` as fast as the stream's own backpressure allows, then ends it. */
function feed(stream, body, offset = 0) {
  const PIECE = 16000;
  if (offset >= body.length) {
    stream.end();
    return;
  }
  const next = () => feed(stream, body, offset + PIECE);
  if (stream.write(Buffer.from(body.subarray(offset, offset + PIECE)))) setImmediate(next);
  else stream.once('drain', next);
}

function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function tried(test, mesh, link, options) {
  if (chat.tests[test]) return chat.tests[test](mesh, link, options.chat);
  if (sock.tests[test]) return sock.tests[test](link, pattern(Number(options.bytes)));
  if (thtp.tests[test]) return thtp.tests[test](link);
  if (!TESTS[test]) throw new Error('there is no such test');
  return TESTS[test](link, options);
}

async function dial(options) {
  const timeout = Number(options.timeout);
  const mesh = await start(options);
  let target = JSON.parse(fs.readFileSync(options.link, 'utf8'));
  if (options.via) {
    const router = await useRouter(mesh, options.via, timeout);
    target = { hashname: target.hashname, paths: [{ type: 'peer', hn: router.hashname }] };
  }
  const link = mesh.link(target);
  if (!link) throw new Error(`no link: ${mesh.err}`);
  const up = new Promise((resolve) => link.status((down) => down || resolve()));
  await within(timeout, 'linking', up);
  await new Promise((resolve) => setTimeout(resolve, options.via ? ROUTED_SETTLE_MS : SETTLE_MS));

  let failed = false;
  for (const test of options.tests.split(',')) {
    try {
      const info = await within(timeout, test, tried(test, mesh, link, options));
      say({ event: 'result', test, ok: true, info });
    } catch (error) {
      failed = true;
      say({ event: 'result', test, ok: false, error: String((error && error.message) || error) });
    }
  }
  setTimeout(() => process.exit(failed ? 1 : 0), SETTLE_MS); // lets its last acknowledgements leave
}

// ------------------------------------------------------------------------------------------------------------ main

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cs: { type: 'string', default: '3a' },
    transport: { type: 'string', default: 'udp4' },
    identity: { type: 'string' },
    link: { type: 'string' },
    'link-out': { type: 'string' },
    tests: { type: 'string', default: 'link,path,stream,unknown' },
    bytes: { type: 'string', default: '40000' },
    timeout: { type: 'string', default: '15000' },
    route: { type: 'boolean', default: false },
    via: { type: 'string' },
    chat: { type: 'string' },
  },
});
const command = { listen, discover, dial }[positionals[0]];
if (!command) fatal('usage: peer.js listen|discover|dial; its first lines describe them');
command(options).catch(fatal);
