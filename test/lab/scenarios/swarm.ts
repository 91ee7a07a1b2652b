import { ordinaryFiles, type Scenario } from './scenario.ts'

export const swarm: Scenario = {
  name: 'swarm',
  about: '200 processes of a millisecond, pipelines, xargs, one that outlives its shell',
  prompt: 'Run the quick checks.',
  files: ordinaryFiles,
  turns: () => [
    [{ kind: 'shell', command: 'for i in $(seq 200); do /bin/true; done; echo 200 done' }],
    [{ kind: 'shell', command: 'for n in 3 1 2; do seq $n | sort -r | head -1 | tr 0-9 a-j; done' }],
    [{ kind: 'shell', command: "seq 40 | xargs -P 4 -I{} sh -c 'exit 0'; echo xargs done" }],
    [{ kind: 'shell', command: 'setsid sleep 2 > /dev/null 2>&1 < /dev/null & echo left one behind' }],
  ],
  farewell: 'All checks ran.',
}
