// The published form: src/cli/main.ts and all it imports of our own as JavaScript in dist/. Node strips no types under node_modules, so a package cannot carry the sources.
// `splitting` keeps what is imported lazily (the shipper's OpenTelemetry SDK, koffi, yaml) out of the first chunk; dependencies stay dependencies.
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
/** Files that modules look for beside themselves (`new URL('./x', import.meta.url)`): beside the chunks there. */
const beside = ['collectors/linux-ebpf/spoor.bpf.o']

rmSync(dist, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: { spoor: './src/cli/main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  legalComments: 'none',
  logLevel: 'warning',
})
for (const file of beside) {
  if (!existsSync(join(root, file))) throw new Error(`${file} is missing: collectors/linux-ebpf/bpf/build.sh makes it`)
  copyFileSync(join(root, file), join(dist, file.slice(file.lastIndexOf('/') + 1)))
}
