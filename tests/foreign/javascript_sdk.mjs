// Google's JavaScript SDK, unmodified, on a lead: it does what it is told on standard input.
// python_sdk.py knows the same words, and says what comes in and goes out.

import { createInterface } from "node:readline";

import { GoogleGenAI } from "@google/genai";
import { OAuth2Client } from "google-auth-library";

const PATIENCE = 10_000; // milliseconds for one step

let session = null;
let events = []; // what the callbacks were told: {message} or {closed}
let wake = () => {};

function clientFor(order) {
  const httpOptions = { baseUrl: order.url };
  if (order.version) httpOptions.apiVersion = order.version;
  switch (order.backend ?? "gemini") {
    case "gemini":
      return new GoogleGenAI({ apiKey: order.key, httpOptions });
    case "express":
      return new GoogleGenAI({ vertexai: true, apiKey: order.key, httpOptions });
    case "vertex": {
      const authClient = new OAuth2Client();
      authClient.setCredentials({ access_token: order.key });
      return new GoogleGenAI({
        vertexai: true,
        project: "a-project",
        location: "us-central1",
        googleAuthOptions: { authClient },
        httpOptions,
      });
    }
  }
  throw new Error(order.backend);
}

class Failed extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

async function connect(order) {
  const happened = (events = []);
  const tell = (event) => {
    happened.push(event);
    wake();
  };
  try {
    session = await clientFor(order).live.connect({
      model: order.model,
      config: order.config ?? {},
      callbacks: {
        onmessage: (message) => tell({ message }),
        onclose: ({ code, reason }) => tell({ closed: { code, reason } }),
      },
    });
  } catch (error) {
    const { closed } = happened.find((event) => event.closed) ?? {};
    throw new Failed(closed?.code ?? null, String(error));
  }
}

async function nextEvent() {
  while (events.length === 0) {
    await new Promise((resolve) => (wake = resolve));
  }
  return events.shift();
}

const words = {
  connect,
  async close() {
    session?.close();
    session = null;
  },
  async content({ turns, turnComplete }) {
    session.sendClientContent(turnComplete === undefined ? { turns } : { turns, turnComplete });
  },
  async realtime({ do: _, ...input }) {
    session.sendRealtimeInput(input);
  },
  // Sound as a microphone gives it: piece by piece, at the pace at which it plays.
  async speak({ pcm, rate, seconds }) {
    const sound = Buffer.from(pcm, "base64");
    const size = 2 * Math.trunc(rate * seconds);
    const start = performance.now();
    for (let number = 0; number * size < sound.length; number++) {
      const due = start + number * seconds * 1000 - performance.now();
      await new Promise((resolve) => setTimeout(resolve, due));
      const data = sound.subarray(number * size, (number + 1) * size).toString("base64");
      session.sendRealtimeInput({ audio: { data, mimeType: `audio/pcm;rate=${rate}` } });
    }
  },
  // Receive until a message has the key, at its top or in its content.
  async hear({ until = "turnComplete" }) {
    const heard = [];
    for (;;) {
      const { message, closed } = await nextEvent();
      if (closed) throw new Failed(closed.code, closed.reason);
      heard.push(message);
      if (until in message || until in (message.serverContent ?? {})) return heard;
    }
  },
  async answer({ responses }) {
    session.sendToolResponse({ functionResponses: responses });
  },
  async update({ instruction }) {
    session.sendContextUpdate({ systemInstruction: instruction });
  },
  async mint(order) {
    return (await clientFor(order).authTokens.create({ config: order.config })).name;
  },
};

async function obey(order) {
  let timer;
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${order.do} took too long`)), PATIENCE);
  });
  try {
    return { result: (await Promise.race([words[order.do](order), tooLong])) ?? null };
  } catch (error) {
    return { failed: { code: error.code ?? error.status ?? null, text: String(error) } };
  } finally {
    clearTimeout(timer);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await obey(JSON.parse(line))));
}
process.exit(0); // a session that was left open must not keep the process
