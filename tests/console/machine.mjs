// A machine of `hookwell dev` and a browser to look at it with.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const { HOOKWELL, CHROMIUM, PROFILE } = process.env;

/** Starts a machine; what it says about itself, and `stop`. */
export const startMachine = (more, environment) => start(['dev', '--port', '0', '--json', ...more], environment);

/** Starts the page over the tables and queues of a machine, as over those of an account. */
export const startConsole = (machine) =>
  start(['console', '--port', '0', '--json'], {
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_DYNAMODB: machine.dynamodb_endpoint,
    AWS_ENDPOINT_URL_SQS: machine.sqs_endpoint,
    HOOKWELL_EVENTS_TABLE: machine.events_table,
    HOOKWELL_DOCUMENTS_TABLE: machine.documents_table,
    HOOKWELL_QUEUE_URL: machine.queue_url,
    HOOKWELL_DEAD_LETTER_QUEUE_URL: machine.dead_letter_queue_url,
  });

async function start(command, environment) {
  const machine = spawn(HOOKWELL, command, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  process.on('exit', () => machine.kill());
  const [line] = await once(createInterface(machine.stdout), 'line');
  machine.stdout.resume();
  const stop = async () => {
    const ended = once(machine, 'exit');
    machine.kill('SIGINT');
    await ended;
  };
  return { ...JSON.parse(line), stop };
}

export const openBrowser = (...more) =>
  chromium.launchPersistentContext(PROFILE, {
    executablePath: CHROMIUM,
    headless: true,
    viewport: { width: 1280, height: 800 },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...more,
    ],
  });

/** Calls the DynamoDB of a machine. */
export const tables = (machine) => async (operation, request) => {
  const answer = await fetch(machine.dynamodb_endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-date': '20261121T000000Z',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization:
        'AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=local',
    },
    body: JSON.stringify(request),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text);
};
