// A counting OTLP sink as a process of its own. Prints its URL, then one JSON line for every line on stdin. A path /away/N/... answers 503 until N seconds after the first request.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { eachRecord } from '../support/protobuf.ts'

let records = 0
let differing = 0
let firstAt = 0
const seen = new Map<string, string>()

const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const away = Number(/^\/away\/(\d+)\//.exec(request.url ?? '')?.[1] ?? 0)
    firstAt ||= Date.now()
    if (Date.now() - firstAt < away * 1000) {
      response.writeHead(503).end()
      return
    }
    if (request.url?.endsWith('/v1/logs')) {
      const body = Buffer.concat(parts)
      for (const { uid, raw } of eachRecord(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body)) {
        records++
        const digest = createHash('sha1').update(raw).digest('latin1')
        const before = seen.get(uid)
        if (before === undefined) seen.set(uid, digest)
        else if (before !== digest) differing++
      }
    }
    const json = String(request.headers['content-type']).includes('json')
    response.writeHead(200, { 'content-type': json ? 'application/json' : 'application/x-protobuf' }).end(json ? '{}' : '')
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`))
process.stdin.on('data', () => process.stdout.write(`${JSON.stringify({ records, distinct: seen.size, differing })}\n`))
process.stdin.on('end', () => process.exit(0))
