// HTTP over links: what the JavaScript peer serves and what it asks for.
'use strict';

const http = require('http');

/** As many lines, each with its number. */
const numbers = (count) => Array.from({ length: count }, (_, number) => `${number}\n`).join('');

/** Serves `/numbers/COUNT`, and `/echo`. */
function serve(mesh) {
  mesh.proxy(http.createServer((request, response) => {
    const [, name, count] = request.url.split('/');
    const answer = (body) => {
      response.writeHead(200, 'OK', { 'content-type': 'text/plain', 'content-length': body.length });
      response.end(body);
    };
    if (name === 'numbers') answer(Buffer.from(numbers(Number(count))));
    else collected(request).then(answer);
  }));
}

function collected(message) {
  const pieces = [];
  return new Promise((resolve, reject) => {
    message.on('error', reject);
    message.on('data', (data) => pieces.push(data));
    message.on('end', () => resolve(Buffer.concat(pieces)));
  });
}

/** Asks, and resolves if the answer is `wanted`. */
async function ask(link, method, path, body, wanted) {
  const response = await new Promise((resolve, reject) => {
    const request = link.request({ method, path, headers: {} }, (answer) => {
      if (answer && answer.statusCode) resolve(answer);
      else reject(new Error(`no response: ${answer}`));
    });
    if (method !== 'GET') request.end(Buffer.from(body)); // the library ends a GET itself
  });
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  const text = (await collected(response)).toString();
  if (text !== wanted) throw new Error(`${text.length} bytes came, not the ${wanted.length} that were asked for`);
  return { bytes: text.length };
}

/** Tests for `dial`, as large as those that our program runs. */
const tests = {
  get: (link) => ask(link, 'GET', '/numbers/3', null, numbers(3)),
  large: (link) => ask(link, 'GET', '/numbers/50000', null, numbers(50000)),
  post: (link) => ask(link, 'POST', '/echo', numbers(3222), numbers(3222)),
};

module.exports = { extension: require('telehash/ext/thtp.js'), serve, tests };
