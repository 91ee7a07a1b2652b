import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Environment, Target } from './config.ts'
import { asBuffer } from './wire.ts'

/** What one POST came to. Expected failures are values: the caller decides what is to be done. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | null; readonly contentType: string; readonly body: Buffer }
  /** No whole response: whether the far side took the request is not known. */
  | { readonly kind: 'silent'; readonly reason: string; readonly message: string }

export type Transport = {
  /** Never rejects. */
  post(body: Uint8Array, contentType: string): Promise<Answer>
  /** Ends all connections; a request in flight is answered `silent`. */
  close(): void
}

/** The specification caps a response at 4 MiB; what is of use to us (counts, one message) fits in much less. The rest is not read. */
const RESPONSE_MAX_BYTES = 64 * 1024
/** Below this gzip's own header and CPU cost more than it saves. */
const GZIP_MIN_BYTES = 1024
/** Collectors and proxies close idle connections after 60 s and more; ours go first, so that a request seldom meets a closed one. */
const IDLE_MS = 30_000
const MAX_SOCKETS = 2
const USER_AGENT = 'Spoor-OTLP-Exporter/1'

/** POSTs to one target over keep-alive connections, with a deadline for the whole exchange. */
export function createTransport(target: Target, env: Environment): Transport {
  const secure = target.url.protocol === 'https:'
  // Not `import`: the namespace of node:http has a getter that loads undici, 6 MB of it.
  const http = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
  const zlib = process.getBuiltinModule('node:zlib')
  const agent: Agent = new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_MS, proxyEnv: env, ...target.tls } as ConstructorParameters<typeof Agent>[0])
  const inFlight = new Set<ClientRequest>()

  const compressed = (body: Uint8Array): Promise<Buffer> =>
    new Promise((resolve, reject) => zlib.gzip(body, { level: 1 }, (error, packed) => (error === null ? resolve(packed) : reject(error))))

  async function post(body: Uint8Array, contentType: string): Promise<Answer> {
    const gzip = target.compression === 'gzip' && body.length >= GZIP_MIN_BYTES
    const bytes = gzip ? await compressed(body) : body
    const headers: Record<string, string | number> = { 'user-agent': USER_AGENT, ...target.headers, 'content-type': contentType, 'content-length': bytes.length }
    if (gzip) headers['content-encoding'] = 'gzip'
    const options: RequestOptions = { method: 'POST', agent, headers }
    const answer = await once(options, bytes)
    // The far side closed an idle connection just as we took it: that says nothing about the far side.
    return answer === 'stale' ? settled(await once(options, bytes)) : answer
  }
  const settled = (answer: Answer | 'stale'): Answer => (answer === 'stale' ? { kind: 'silent', reason: 'reset', message: 'the connection was reset twice' } : answer)

  function once(options: RequestOptions, bytes: Uint8Array): Promise<Answer | 'stale'> {
    return new Promise((resolve) => {
      let response: IncomingMessage | null = null
      let done = false
      const request = http.request(target.url, options)
      const deadline = setTimeout(() => finish({ kind: 'silent', reason: 'timeout', message: `no whole response within ${target.timeoutMs} ms` }), target.timeoutMs)
      inFlight.add(request)
      function finish(answer: Answer | 'stale', reusable = false): void {
        if (done) return
        done = true
        clearTimeout(deadline)
        inFlight.delete(request)
        if (!reusable) request.destroy()
        resolve(answer)
      }
      request.on('error', (error: NodeJS.ErrnoException) => {
        const code = error.code ?? error.name
        if (request.reusedSocket && response === null && (code === 'ECONNRESET' || code === 'EPIPE')) finish('stale')
        else finish({ kind: 'silent', reason: reasonOf(code), message: describe(error) })
      })
      request.on('close', () => finish({ kind: 'silent', reason: 'reset', message: 'the connection was closed before a whole response' }))
      request.on('response', (incoming: IncomingMessage) => {
        response = incoming
        const chunks: Buffer[] = []
        let size = 0
        const answered = (reusable: boolean): void => {
          const { 'retry-after': retryAfter, 'content-type': type } = incoming.headers
          finish({ kind: 'answered', status: incoming.statusCode ?? 0, retryAfter: retryAfter ?? null, contentType: type ?? '', body: Buffer.concat(chunks) }, reusable)
        }
        incoming.on('data', (chunk: Buffer) => {
          chunks.push(chunk.subarray(0, RESPONSE_MAX_BYTES - size))
          size += chunk.length
          if (size > RESPONSE_MAX_BYTES) answered(false)
        })
        incoming.on('end', () => answered(true))
        // 'aborted' comes as an error on the response; without a listener it would be thrown.
        incoming.on('error', (error: NodeJS.ErrnoException) => finish({ kind: 'silent', reason: 'reset', message: describe(error) }))
      })
      request.end(asBuffer(bytes))
    })
  }

  return {
    post,
    close() {
      for (const request of inFlight) request.destroy()
      agent.destroy()
    },
  }
}

function reasonOf(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused'
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'dns'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return 'unreachable'
    case 'ETIMEDOUT':
      return 'timeout'
    default:
      return /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code) ? 'tls' : 'connection'
  }
}

/** An AggregateError (several addresses tried) has no message of its own. */
const describe = (error: NodeJS.ErrnoException): string =>
  (error.message || (error instanceof AggregateError ? String(error.errors[0]?.message) : '') || error.code) ?? 'unknown error'
