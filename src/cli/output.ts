/** Written in pieces of this size, so that a pager gets its first screen at once and a long listing costs few system calls. */
const CHUNK = 64 * 1024

/** Standard output with back-pressure: a reader of a million entries holds one chunk. Whoever reads us may stop (`| head`): then so do we. */
export type Output = { write(text: string): Promise<void> | undefined; flush(): Promise<void> }

export function standardOutput(stream: NodeJS.WriteStream = process.stdout): Output {
  stream.on('error', () => process.exit(0))
  let pending = ''
  const flush = async (): Promise<void> => {
    const text = pending
    pending = ''
    if (text !== '') await new Promise<void>((done) => stream.write(text, () => done()))
  }
  return {
    write(text) {
      pending += text
      return pending.length >= CHUNK ? flush() : undefined
    },
    flush,
  }
}
