#!/usr/bin/env node
// Opens sites of the mesh in a real browser, through a running `mesh proxy`, and lets foreign pages attack one of them.
//
//   node visit.js --browser PROGRAM --site ORIGIN --alias ORIGIN --folder ORIGIN --direct ORIGIN --file FILE --pictures DIR
//
// --site is what site.js serves, through the proxy: http://<hashname>.localhost:PORT; --alias the same under an alias;
// --direct the same without the mesh: http://127.0.0.1:PORT. --folder is what `mesh serve folder` serves. --file is
// uploaded. Screenshots go to --pictures.
//
// Standard output carries one JSON object a line, {"event":"step","step":…,"ok":true|false,"error"?,"info"?,"seconds":N}.
// Exits with 0 if every step passed, and with 1 otherwise.
'use strict';

const assert = require('assert/strict');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { parseArgs } = require('util');
const { chromium } = require('playwright-core');
const { attack } = require('./foreign.js');

const LIMIT = 15_000;
const STEP_LIMIT = 30_000;
const string = { type: 'string' };
const { values: options } = parseArgs({
  options: { browser: string, site: string, alias: string, folder: string, direct: string, file: string, pictures: string },
});
const REBOUND = 'rebound.example';

/** All that came to the site so far. */
const heard = async () => (await fetch(`${options.direct}/_heard`)).json();

/** Resolves once the site has heard all of these. */
async function heardAll(lines) {
  const deadline = Date.now() + LIMIT;
  for (;;) {
    const all = await heard();
    const missing = lines.filter((line) => !all.includes(line));
    if (!missing.length) return;
    assert(Date.now() < deadline, `the site has not heard ${missing}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const picture = (page, name) => page.screenshot({ path: path.join(options.pictures, `${name}.png`) });

async function opensAFolder(context) {
  const page = await context.newPage();
  const types = {};
  page.on('response', (response) => { types[new URL(response.url()).pathname] = response.headers()['content-type']; });
  await page.goto(options.folder, { waitUntil: 'load' });
  assert.equal(await page.textContent('h1'), 'A folder on the mesh');
  assert.equal(await page.$eval('h1', (title) => getComputedStyle(title).color), 'rgb(0, 80, 120)');
  assert.equal(await page.$eval('img', (image) => image.naturalWidth), 120);
  await picture(page, '1-folder');
  await page.close();
  assert.match(types['/'], /^text\/html/);
  assert.match(types['/style.css'], /^text\/css/);
  assert.match(types['/picture.svg'], /^image\/svg\+xml/);
  return 'with its style and its picture';
}

async function followsALink(page) {
  await page.goto(options.site);
  assert.equal(await page.textContent('h1'), 'A site on the mesh');
  await picture(page, '2-site');
  await page.click('text=The second page');
  await page.waitForURL(`${options.site}/second`);
  assert.equal(await page.textContent('p'), 'A link led here.');
  await picture(page, '3-link');
  await page.goBack();
}

async function uploadsAFile(page) {
  const content = fs.readFileSync(options.file);
  await page.setInputFiles('input[type=file]', options.file);
  await page.click('text=Upload');
  await page.waitForURL(`${options.site}/upload`);
  assert.equal(await page.textContent('#length'), `${content.length}`);
  assert.equal(await page.textContent('#sha256'), crypto.createHash('sha256').update(content).digest('hex'));
  await picture(page, '4-upload');
  return `${content.length} bytes, the digest is right`;
}

async function talksWebSocket(page) {
  await page.goto(options.site);
  await page.click('#talk');
  await page.waitForFunction(() => document.getElementById('said').textContent.endsWith('done\n'));
  const echoed = ['text hello', 'binary 70000 as sent'];
  assert.deepEqual((await page.textContent('#said')).trim().split('\n'), [
    ...echoed, 'closed 4001 from the page cleanly',
    ...echoed, 'closed 4002 from the site cleanly',
    'done',
  ]);
  await heardAll(['WS /ws', 'WS closed 4001 from the page', 'WS closed 4002 from the site']);
  await picture(page, '5-websocket');
  return 'text, 70000 bytes, and the code of who closed, both ways';
}

/** Nothing that a page of another origin tries is read or arrives. */
async function keepsOut(context, from, { target = options.site, status = 403, shot } = {}) {
  const results = await attack(context, from, target, (page) => shot && picture(page, shot));
  const arrived = await heard();
  for (const { name, path, read, statuses } of results) {
    assert(statuses.every((got) => got === status), `${name} was answered with ${statuses}`);
    assert(!read, `${name} read the site`);
    assert(!arrived.some((line) => line.includes(path)), `${name} arrived`);
  }
  return `${results.length} attempts got ${status}: none was read, none arrived`;
}

/** The same attempts do arrive where no proxy keeps them out: else they would show nothing. */
async function arrivesWithoutTheProxy(context, from) {
  const results = await attack(context, from, options.direct);
  const arrived = await heard();
  for (const { name, path } of results) {
    assert(arrived.some((line) => line.includes(path)), `${name} did not arrive`);
  }
  const read = results.filter(({ read }) => read).map(({ name }) => name);
  for (const name of ['fetch', 'POST', 'script', 'WebSocket']) assert(read.includes(name), `${name} was not read`);
  return `${results.length} attempts arrived, ${read.length} were read`;
}

/** A window may be led to the site, but whoever opened it has no hold on it. */
async function cutsOffWhoOpenedIt(context, from) {
  const opener = await context.newPage();
  await opener.goto(from);
  const [opened] = await Promise.all([
    context.waitForEvent('page'),
    opener.evaluate((url) => { window.handle = window.open(url); }, `${options.site}/second?by-link`),
  ]);
  await opened.waitForSelector('h1');
  await opener.waitForFunction(() => window.handle.closed);
  assert.equal(await opened.evaluate(() => window.opener), null);
  assert((await heard()).includes('GET /second?by-link'), 'the link did not lead there');
  await picture(opened, '7-opened-from-elsewhere');
  await Promise.all([opener.close(), opened.close()]);
}

/** What a foreign page sees once its own name leads to the proxy. */
async function refusesAReboundName(browser) {
  const origin = options.site.replace(/\/\/.*:/, `//${REBOUND}:`);
  // The page is the proxy's own, which lets nothing run: that of an attacker would.
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  const response = await page.goto(origin);
  assert.equal(response.status(), 421);
  await picture(page, '8-rebound-name');
  const info = await keepsOut(context, origin, { target: origin, status: 421 });
  await context.close();
  return info;
}

const within = (limit, promise) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit).unref()),
]);

let failed = false;

async function step(name, run) {
  const start = Date.now();
  const line = { event: 'step', step: name };
  try {
    Object.assign(line, { ok: true, info: (await within(STEP_LIMIT, run())) ?? '' });
  } catch (error) {
    failed = true;
    Object.assign(line, { ok: false, error: `${error.message}` });
  }
  console.log(JSON.stringify({ ...line, seconds: (Date.now() - start) / 1000 }));
}

async function main() {
  const elsewhere = http.createServer(elsewherePage);
  await new Promise((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const { port } = elsewhere.address();
  const browser = await chromium.launch({
    executablePath: options.browser,
    args: [`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`],
  });
  const context = await browser.newContext();
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  await step('a folder', () => opensAFolder(context));
  await step('a site, and a link in it', () => followsALink(page));
  await step('an upload', () => uploadsAFile(page));
  await step('WebSockets', () => talksWebSocket(page));
  const foreign = {
    'another port of this host': `http://127.0.0.1:${port}/`,
    'another name under localhost': `http://evil.localhost:${port}/`,
    'no origin': `http://evil.localhost:${port}/sandboxed`,
    'another endpoint': `${options.folder}/`,
    'the endpoint under its alias': `${options.alias}/`,
  };
  for (const [name, from] of Object.entries(foreign)) {
    await step(`foreign: ${name}`, () => keepsOut(context, from, { shot: `6-form-from-${name.replaceAll(' ', '-')}` }));
  }
  await step('foreign, without the proxy', () => arrivesWithoutTheProxy(context, `http://evil.localhost:${port}/`));
  await step('a link on a foreign page', () => cutsOffWhoOpenedIt(context, `http://evil.localhost:${port}/`));
  await step('a rebound name', () => refusesAReboundName(browser));
  await browser.close();
  elsewhere.close();
  process.exitCode = failed ? 1 : 0;
}

/** A page of a foreign origin; of an opaque one at /sandboxed. */
function elsewherePage(request, response) {
  const sandbox = request.url === '/sandboxed' ? { 'content-security-policy': 'sandbox allow-scripts allow-forms' } : {};
  response.writeHead(200, { 'content-type': 'text/html', ...sandbox }).end('<!DOCTYPE html><title>Elsewhere</title><h1>Elsewhere</h1>');
}

main().catch((error) => {
  console.log(JSON.stringify({ event: 'fatal', error: `${error.message}` }));
  process.exit(1);
});
