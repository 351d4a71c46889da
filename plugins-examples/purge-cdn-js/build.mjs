// Makes the component: `node build.mjs FILE`. `hookbox build` runs it by the
// script `build` of package.json.
//
// 1. esbuild puts the plugin and what it imports into one file.
// 2. A table of where its lines come from is added, so that failures name yours.
// 3. componentize-js runs the file up to its exports and makes a component of
//    that state: the top level of your modules runs here, not in the server.

import { componentize } from '@bytecodealliance/componentize-js';
import * as esbuild from 'esbuild';
import { existsSync } from 'node:fs';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';

const out = resolve(process.argv[2] ?? 'build/plugin.wasm');
const entry = ['src/plugin.ts', 'src/plugin.js'].find((file) => existsSync(file));
if (!entry) throw new Error('there is no src/plugin.ts and no src/plugin.js');

const { outputFiles } = await esbuild
  .build({
    entryPoints: [entry],
    outfile: 'build/plugin.bundle.js',
    bundle: true,
    format: 'esm',
    // What the engine can do, as far as esbuild has a name for it.
    target: 'es2023',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    external: ['wasi:*', 'hookbox:*'],
    sourcemap: 'external',
    write: false,
  })
  .catch((error) => {
    // What is wrong with the sources esbuild has said by itself.
    if (!error.errors?.length) throw error;
    process.exit(1);
  });
const { text, map } = {
  text: outputFiles.find(({ path }) => path.endsWith('.js')).text,
  map: JSON.parse(outputFiles.find(({ path }) => path.endsWith('.map')).text),
};

const sourceMap = new SourceMap(map);
/** For each line of the bundle its file and line, or null. */
const lines = text.split('\n').map((line, number) => {
  const { originalSource, originalLine } = sourceMap.findEntry(number, line.search(/\S|$/));
  if (originalSource === undefined) return null;
  return `${relative('.', resolve('build', originalSource))}:${originalLine + 1}`;
});

const bundle = resolve('build/plugin.bundle.js');
await mkdir(dirname(bundle), { recursive: true });
await writeFile(bundle, `${text}\nglobalThis.__hookboxLines = ${JSON.stringify(lines)};\n`);

const { component } = await componentize({
  sourcePath: bundle,
  witPath: await realpath('wit'),
  worldName: 'plugin',
  // For components that serve HTTP.
  disableFeatures: ['fetch-event'],
});
await mkdir(dirname(out), { recursive: true });
await writeFile(out, component);
