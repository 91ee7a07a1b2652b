// The sensor alone, its observations thrown away, with the environment filter off: the part of the cost that is not the environment. Says "ready", ends with its stdin.
import { CONTROL_NO_ENVIRONMENT, createLinuxEbpf } from '../../collectors/linux-ebpf/index.ts'

const running = await createLinuxEbpf({ control: CONTROL_NO_ENVIRONMENT }).start(
  { candidates: [process.argv[2]!], environment: [], ringBytes: 4 << 20, pinName: null, self: [] },
  { batch: () => {} },
)
if ('ok' in running) {
  console.error(running.why)
  process.exit(1)
}
process.stdout.write('ready\n')
process.stdin.resume()
process.stdin.on('end', () => void running.stop().then(() => process.exit(0)))
