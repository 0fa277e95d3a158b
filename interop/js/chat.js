// Chats of two: one says something and corrects it, and the other one, once it is corrected, answers in the same way.
// Whoever speaks first leaves then. A receipt goes out for whatever is said, and the other side may wait for it: the
// library takes none itself.
'use strict';

/** The library opens several channels when it connects, and sends on the newest. */
const SETTLE_MS = 300;

/** Leads a chat into which everybody is let, accepts every invitation, and answers; the id of the chat that it leads. */
function serve(mesh, say) {
  mesh.invited((link, profile) => answer(mesh, mesh.chat({ leader: link, id: profile.json.id }, 'JS guest'), say));
  const chat = mesh.chat('JS leader');
  answer(mesh, chat, say);
  return chat.id;
}

function answer(mesh, chat, say) {
  listen(mesh, chat, {
    corrected: ({ json }) => correct(chat, 'ehco', `echo:${json.text}`),
    left: (hashname) => say({ event: 'chat', left: hashname }),
  });
}

/** Tells what others do: that they are `there`, have `corrected` what they said, or `left`. */
function listen(mesh, chat, { there, corrected, left }) {
  const said = new Map();
  chat.inbox.on('data', (message) => {
    const { from, json: { type, id, text } } = message;
    if (from === mesh.hashname) return;
    if (type === 'profile') chat.join(mesh.link(from)); // whoever asks is let in
    if (type === 'connect' && there) there(from);
    if (type === 'disconnect' && left) left(from);
    if (type !== 'chat') return;
    if (!said.has(id)) chat.send({ json: { type: 'ack', id, ack: 'received' } });
    else if (said.get(id) !== text && corrected) corrected(message);
    said.set(id, text);
  });
}

/** Says something, and something else in its place. */
function correct(chat, first, then) {
  chat.send(first);
  const { id } = chat.log[0].json;
  chat.send({ json: { id, text: then } });
}

/** Says something in a chat, waits for the answer, and leaves. */
async function speak(mesh, chat, connect) {
  const channels = [];
  const connected = chat.connect;
  chat.connect = (...args) => {
    const stream = connected(...args);
    channels.push(stream);
    return stream;
  };
  const answered = new Promise((resolve, reject) => {
    listen(mesh, chat, {
      there: () => setTimeout(() => correct(chat, 'helo', 'hello'), SETTLE_MS),
      corrected: ({ json }) => (json.text === 'echo:hello' ? resolve() : reject(new Error(`heard ${json.text}`))),
    });
  });
  if (connect) connect();
  await answered;
  channels.forEach((stream) => stream.end()); // the library has no word for leaving
  return { chat: chat.id };
}

/** Tests for `dial`. */
const tests = {
  /** Leads a chat, and invites the other side. */
  lead(mesh, link) {
    const chat = mesh.chat('JS leader');
    return speak(mesh, chat, () => chat.join(link));
  },

  /** Takes part in the chat that the other side leads. */
  join: (mesh, link, id) => speak(mesh, mesh.chat({ leader: link, id }, 'JS guest')),
};

module.exports = { extension: require('telehash/ext/chat.js'), serve, tests };
