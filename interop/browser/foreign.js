// What a page of a foreign origin can try against a site.
'use strict';

const LIMIT = 15_000;

/** Each runs in the page, with the URL that it aims at, and resolves to whether it learnt what is there; it may fail. */
const ATTEMPTS = {
  'fetch': async (url) => (await (await fetch(url)).text()).includes('secret'),
  'fetch with credentials': async (url) => (await (await fetch(url, { credentials: 'include' })).text()).includes('secret'),
  'fetch no-cors': async (url) => (await (await fetch(url, { mode: 'no-cors' })).text()).includes('secret'),
  'fetch with a header': async (url) => (await (await fetch(url, { headers: { 'x-any': '1' } })).text()).includes('secret'),
  'POST': async (url) => (await (await fetch(url, { method: 'POST', body: 'x' })).text()).includes('secret'),
  'POST no-cors': async (url) => (await (await fetch(url, { method: 'POST', body: 'x', mode: 'no-cors' })).text()).includes('secret'),
  'POST of JSON': async (url) => {
    const response = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    return (await response.text()).includes('secret');
  },
  'PUT': async (url) => (await (await fetch(url, { method: 'PUT', body: 'x' })).text()).includes('secret'),
  'DELETE': async (url) => (await (await fetch(url, { method: 'DELETE' })).text()).includes('secret'),
  'beacon': async (url) => navigator.sendBeacon(url, 'x') && false,
  'ping': async (url) => {
    const link = Object.assign(document.createElement('a'), { href: '#', ping: url });
    document.body.append(link);
    link.click();
    return false;
  },
  'module': (url) => import(url).then(() => window.secret === 'secret'),
  'script': (url) => new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: url });
    script.onload = () => resolve(window.secret === 'secret');
    script.onerror = () => reject(new Error('not loaded'));
    document.body.append(script);
  }),
  'style': (url) => new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: url });
    link.onload = () => resolve(true);
    link.onerror = () => reject(new Error('not loaded'));
    document.body.append(link);
  }),
  'picture': (url) => new Promise((resolve, reject) => {
    const picture = Object.assign(document.createElement('img'), { src: url });
    picture.onload = () => resolve(true);
    picture.onerror = () => reject(new Error('not loaded'));
    document.body.append(picture);
  }),
  'frame': (url) => new Promise((resolve) => {
    const frame = Object.assign(document.createElement('iframe'), { src: url });
    frame.onload = () => {
      try {
        resolve(frame.contentDocument.body.textContent.includes('secret'));
      } catch {
        resolve(false);
      }
    };
    document.body.append(frame);
  }),
  'EventSource': (url) => new Promise((resolve, reject) => {
    const source = new EventSource(url);
    source.onopen = () => { source.close(); resolve(true); };
    source.onerror = () => { source.close(); reject(new Error('not opened')); };
  }),
  'WebSocket': (url) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'));
    socket.onopen = () => socket.send('secret');
    socket.onmessage = () => { socket.close(); resolve(true); };
    socket.onerror = () => reject(new Error('not opened'));
  }),
  'form': async (url) => {
    const form = Object.assign(document.createElement('form'), { action: url, method: 'post' });
    form.innerHTML = '<input name="x" value="y">';
    document.body.append(form);
    // Not before this function is done, which ends with the page.
    setTimeout(() => form.submit());
    return false;
  },
};

/**
 * Opens the page `from` once for each attempt, and lets it try that against `target`, an origin. Resolves to an array of
 * {name, path, read, statuses}: `statuses` are those that the browser was answered with, at least one each. `atForm` gets
 * the page once a form led it to the target.
 */
async function attack(context, from, target, atForm = () => {}) {
  const page = await context.newPage();
  const answers = await Answers.of(page);
  const results = [];
  for (const [name, attempt] of Object.entries(ATTEMPTS)) {
    await page.goto(from);
    // An address of its own, which no cache and no other attempt knows.
    const path = `/attempt/${encodeURIComponent(from)}/${name.replaceAll(' ', '-')}`;
    const url = `${target}${path}`;
    const read = await page.evaluate(attempt, url).catch(() => false);
    results.push({ name, path, read, statuses: await answers.to(url) });
    // A page that is led away meanwhile can neither be closed nor taken elsewhere.
    if (name !== 'form') continue;
    await page.waitForURL(url);
    await atForm(page);
  }
  await page.close();
  return results;
}

/** What a page's requests were answered with, also where the browser keeps that from the page. */
class Answers {
  #urls = new Map();
  #statuses = new Map();
  #changed = () => {};

  static async of(page) {
    const answers = new Answers();
    const session = await page.context().newCDPSession(page);
    session.on('Network.requestWillBeSent', ({ requestId, request }) => answers.#asked(requestId, request.url));
    session.on('Network.webSocketCreated', ({ requestId, url }) => answers.#asked(requestId, url.replace('ws', 'http')));
    session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) => answers.#got(requestId, statusCode));
    session.on('Network.webSocketHandshakeResponseReceived', ({ requestId, response }) => answers.#got(requestId, response.status));
    session.on('Network.webSocketFrameError', ({ requestId, errorMessage }) => {
      const status = /response code: (\d+)/.exec(errorMessage);
      if (status) answers.#got(requestId, Number(status[1]));
    });
    await session.send('Network.enable');
    return answers;
  }

  // The two come in any order.
  #asked(id, url) {
    this.#urls.set(id, url);
    this.#changed();
  }

  #got(id, status) {
    this.#statuses.set(id, [...(this.#statuses.get(id) ?? []), status]);
    this.#changed();
  }

  /** Resolves to the statuses of a URL, once there is one. */
  to(url) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing answered ${url}`)), LIMIT);
      this.#changed = () => {
        const ids = [...this.#urls.keys()].filter((id) => this.#urls.get(id) === url);
        const statuses = ids.flatMap((id) => this.#statuses.get(id) ?? []);
        if (!statuses.length) return;
        clearTimeout(timer);
        resolve(statuses);
      };
      this.#changed();
    });
  }
}

module.exports = { attack };
