import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Scenario, Step } from '../scenarios/scenario.ts'
import { anthropic } from './anthropic.ts'
import { type Dialect, type Json, objectOf } from './dialect.ts'
import { responses } from './responses.ts'

/** A tool call that the model asked for; `result` once the CLI has sent it back. */
export type Asked = {
  readonly id: string
  readonly turn: number
  readonly tool: string
  readonly steps: readonly Step[]
  result: { readonly text: string; readonly isError: boolean } | null
}

export type ModelServer = {
  readonly url: string
  readonly asked: readonly Asked[]
  /** Requests for anything but a model's answer, `METHOD path`: what else the CLI wanted. */
  readonly others: readonly string[]
  /** Requests that were answered as a model. */
  readonly requests: () => number
  close(): Promise<void>
}

const DIALECTS: readonly Dialect[] = [anthropic, responses]
/** A CLI's system prompt and tools are about 150 kB. */
const BODY_MAX = 16 * 1024 * 1024
const SIDE_ANSWER = 'Lab'

/** A model on loopback that follows a script: which turn it is in, it reads from the results in the history, as a model would. */
export async function startModel(scenario: Pick<Scenario, 'farewell'>, turns: readonly (readonly Step[])[]): Promise<ModelServer> {
  const tag = randomBytes(4).toString('hex')
  const asked = new Map<string, Asked>()
  const others: string[] = []
  let served = 0

  function answer(dialect: Dialect, request: Json) {
    served++
    if (!dialect.offersTools(request)) return dialect.answer(request, [], SIDE_ANSWER, served)
    let turn = 0
    for (const { id, text, isError } of dialect.results(request)) {
      const call = asked.get(id)
      if (call === undefined) continue
      call.result ??= { text, isError }
      turn = Math.max(turn, call.turn + 1)
    }
    const steps = turns[turn] ?? []
    const calls = steps.length === 0 ? [] : dialect.calls(request, steps, (n) => `lab${tag}t${turn}c${n}`)
    for (const { id, name, steps } of calls) if (!asked.has(id)) asked.set(id, { id, turn, tool: name, steps, result: null })
    return dialect.answer(request, calls, scenario.farewell, served)
  }

  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://lab').pathname.replaceAll('//', '/')
    const dialect = request.method === 'POST' ? DIALECTS.find((one) => one.path.test(path)) : undefined
    const body = await bodyOf(request)
    if (dialect === undefined || body === null) {
      others.push(`${request.method} ${path}`)
      // Counting tokens and listing models are asked for in passing; "not found" ends nothing.
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"type":"error","error":{"type":"not_found_error","message":"the lab has only a model"}}')
      return
    }
    const { type, body: text } = answer(dialect, body)
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
  })
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return [...asked.values()]
    },
    others,
    requests: () => served,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Json | null> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    if ((size += part.length) > BODY_MAX) return null
    parts.push(part)
  }
  try {
    return objectOf(JSON.parse(unpacked(Buffer.concat(parts), request.headers['content-encoding']).toString('utf8')))
  } catch {
    return null
  }
}

function unpacked(bytes: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(bytes)
  if (encoding === 'br') return brotliDecompressSync(bytes)
  return encoding === 'zstd' ? zstdDecompressSync(bytes) : bytes
}
