// The texts of the SDKs that are installed below the working folder. None of their code runs.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = (sdk) => join('node_modules', sdk);
export const text = (sdk, file) => readFileSync(join(folder(sdk), file), 'utf8');
export const files = (sdk, below, ending) =>
  readdirSync(join(folder(sdk), below), { recursive: true })
    .filter((file) => file.endsWith(ending)).map((file) => join(below, file));
export const found = (pattern, source) => [...source.matchAll(pattern)].map((match) => match[1]);
