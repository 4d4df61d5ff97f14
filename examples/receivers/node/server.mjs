// A server behind a destination of Hookwell: verifies each request with the official library of Standard Webhooks.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
// An event may come again, with the same id. A real server keeps these in its database, in the transaction of its work.
const done = new Set();

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    // Over the bytes as they came: a body that was parsed and written again has another signature.
    event = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
  } catch {
    response.writeHead(400).end();
    return;
  }
  const id = request.headers["webhook-id"];
  if (!done.has(id)) {
    const { "hookwell-source": source, "hookwell-operation": operation, "hookwell-document": document } = request.headers;
    console.log(`${source} ${operation} ${document} ${JSON.stringify(event)}`);
    done.add(id);
  }
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => console.log("ready"));
