// Print the CPU time of parsing the message on standard input, in microseconds: the median over batches, after warming up.
// Called as: node peers.mjs FOLDER, where FOLDER holds node_modules.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

// The library names this class when it is loaded; node has none before version 22.
globalThis.WebSocket ??= class {};
const { Hl7Message } = createRequire(join(resolve(process.argv[2]), 'package.json'))('@medplum/core');
const text = readFileSync(0, 'utf8');

function batch(size) {
  const started = process.cpuUsage();
  for (let n = 0; n < size; n += 1) {
    if (Hl7Message.parse(text).segments.length < 2) throw new Error('not parsed');
  }
  const { user, system } = process.cpuUsage(started);
  return user + system;
}

let size = 100;
while (batch(size) < 50_000) size *= 2;
const samples = Array.from({ length: 9 }, () => batch(size) / size).sort((a, b) => a - b);
console.log(samples[4]);
