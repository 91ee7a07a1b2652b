import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createRedactor, RULES } from './redact.ts'

const redactor = createRedactor()
const SECRET = 'h7Gd93kXq0Lm2Zt8'

test('secrets in text are replaced, and only they', () => {
  const cases: [string, string][] = [
    ['curl https://ann:' + SECRET + '@host.example/x?y', 'curl https://ann:<redacted:password>@host.example/x?y'],
    ['git clone https://ghp_' + 'a'.repeat(36) + '@github.com/x/y', 'git clone https://<redacted:userinfo>@github.com/x/y'],
    ['git clone ssh://git@github.com/x/y', 'git clone ssh://git@github.com/x/y'],
    ['curl -H "Authorization: Bearer ' + SECRET + '" https://x', 'curl -H "Authorization: <redacted:header>" https://x'],
    ["curl -H 'X-Api-Key: " + SECRET + "' https://x", "curl -H 'X-Api-Key: <redacted:header>' https://x"],
    ['curl -H "Authorization: Bearer $TOKEN" https://x', 'curl -H "Authorization: Bearer $TOKEN" https://x'],
    ['export AWS_SECRET_ACCESS_KEY=' + SECRET + ' && ls', 'export AWS_SECRET_ACCESS_KEY=<redacted:secret> && ls'],
    ['AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE ls', 'AWS_ACCESS_KEY_ID=<redacted:aws_key_id> ls'],
    ['echo AKIAIOSFODNN7EXAMPLE', 'echo <redacted:aws_key_id>'],
    ['PGPASSWORD="two words" psql', 'PGPASSWORD=<redacted:secret> psql'],
    ['{"password": "' + SECRET + '", "user": "ann"}', '{"password": <redacted:secret>, "user": "ann"}'],
    ['tool --api-key ' + SECRET + ' run', 'tool --api-key <redacted:secret> run'],
    ['tool --token=' + SECRET, 'tool --token=<redacted:secret>'],
    ['DB_PASSWORD=1234 tokens=4096', 'DB_PASSWORD=<redacted:secret> tokens=4096'],
    ['TOKEN=$OTHER make', 'TOKEN=$OTHER make'],
    ['tool --max-tokens=4096 --token-file /run/t --password-stdin', 'tool --max-tokens=4096 --token-file /run/t --password-stdin'],
    ['git commit -m "rotate the token in CI"', 'git commit -m "rotate the token in CI"'],
    ['cat secret.txt; ls secrets/', 'cat secret.txt; ls secrets/'],
    ['x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\ny', 'x\n<redacted:private_key>\ny'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE', '<redacted:private_key>'],
    ['MIIE\n-----END EC PRIVATE KEY-----\nx', '<redacted:private_key>\nx'],
    ['-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----', '-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----'],
    ['node --test src/sum.test.js', 'node --test src/sum.test.js'],
    ['git -c user.name=lab -c user.email=lab@example.invalid commit -qm "add test"', 'git -c user.name=lab -c user.email=lab@example.invalid commit -qm "add test"'],
    ['curl "https://x/?access_token=' + SECRET + '&n=1"', 'curl "https://x/?access_token=<redacted:secret>&n=1"'],
  ]
  for (const [text, expected] of cases) assert.equal(redactor.text(text), expected)
})

test('known forms of tokens are found wherever they stand', () => {
  const tokens = [
    'sk-ant-api03-' + 'aB3_-'.repeat(10),
    'sk-proj-' + 'x'.repeat(40),
    'ghp_' + 'A1b2'.repeat(9),
    'github_pat_' + 'A1b2_'.repeat(9),
    'glpat-' + 'x'.repeat(20),
    'xoxb-123456789012-abcdefghijkl',
    'AIza' + 'b'.repeat(35),
    'npm_' + 'c'.repeat(36),
    'hf_' + 'd'.repeat(34),
    'sk_live_' + 'e'.repeat(24),
    'dapi' + 'f0'.repeat(16),
    'ASIA' + 'Q'.repeat(16),
    'pypi-' + 'h'.repeat(40),
    'SG.' + 'i'.repeat(22) + '.' + 'j'.repeat(43),
    'dop_v1_' + 'a0'.repeat(32),
    'AGE-SECRET-KEY-1' + 'K'.repeat(58),
    'ya29.' + 'l'.repeat(40),
    'GOCSPX-' + 'm'.repeat(28),
    'xapp-1-' + 'n'.repeat(30),
    'whsec_' + 'o'.repeat(32),
    'hvs.' + 'g'.repeat(24),
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P',
  ]
  for (const token of tokens)
    for (const text of [token, 'echo ' + token + ' | x', 'a="' + token + '"', 'f(' + token + ')']) {
      const out = redactor.text(text)
      assert.ok(!out.includes(token.slice(8, 24)), text + ' -> ' + out)
      assert.match(out, /<redacted:/)
    }
})

test('arguments are understood in their order', () => {
  const cases: [string[], string[]][] = [
    [
      ['mysql', '-uroot', '-p' + SECRET, 'db'],
      ['mysql', '-uroot', '-p<redacted:password>', 'db'],
    ],
    [
      ['/usr/bin/curl', '-u', 'ann:' + SECRET, 'https://x'],
      ['/usr/bin/curl', '-u', 'ann:<redacted:password>', 'https://x'],
    ],
    [
      ['tool', '--password', 'two words', '--force'],
      ['tool', '--password', '<redacted:argument>', '--force'],
    ],
    [
      ['tool', '--token-file', '/run/t', '--max-tokens', '4096', '--secret', '$S'],
      ['tool', '--token-file', '/run/t', '--max-tokens', '4096', '--secret', '$S'],
    ],
    [
      ['bash', '-c', 'export API_KEY=' + SECRET + '; run'],
      ['bash', '-c', 'export API_KEY=<redacted:secret>; run'],
    ],
    [
      ['mkdir', '-p', 'a/b'],
      ['mkdir', '-p', 'a/b'],
    ],
    [[], []],
  ]
  for (const [args, expected] of cases) assert.deepEqual(redactor.args(args), expected)
})

test('a rule that throws costs the value, never the secret', () => {
  const failing = createRedactor([
    () => {
      throw new Error('broken rule')
    },
  ])
  assert.match(failing.text('password=' + SECRET), /^<redacted:sha256:[0-9a-f]{32}>$/)
  assert.deepEqual(
    failing.args(['a', 'b']).map((a) => /^<redacted:sha256:[0-9a-f]{32}>$/.test(a)),
    [true, true],
  )
  assert.match(redactor.text('x'.repeat(300_000)), /^<redacted:sha256:/)
})

test('no rule throws, whatever it is given', () => {
  const word = fc.constantFrom(
    'password',
    '=',
    ' ',
    ':',
    '"',
    "'",
    '--token',
    SECRET,
    '://',
    '@',
    'Bearer ',
    'eyJ',
    '-----BEGIN PRIVATE KEY-----',
    '-----END ',
    'Authorization:',
    '\n',
    '$X',
    'ü',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      let thrown = false
      for (const rule of RULES)
        try {
          rule(words.join(''))
        } catch {
          thrown = true
        }
      assert.equal(thrown, false)
      redactor.args(words)
    }),
    { numRuns: 2000 },
  )
})

test('hostile text takes linear time', () => {
  const n = 100_000
  const hostile = [
    'password',
    'eyJ',
    'eyJ-',
    'A',
    '://',
    '://a@',
    'authorization:',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    'token=',
    'token ',
    '-',
    ' -',
    'Bearer ',
    'sk-',
    'x-',
    'AKIA',
    "token='",
    'secret"',
    'SG.aaaaaaaaaaaaaaaaa.',
    ' --a-',
    'cookie:"',
  ]
  for (const unit of hostile) {
    const text = unit.repeat(Math.ceil(n / unit.length))
    const began = performance.now()
    redactor.text(text)
    const took = performance.now() - began
    assert.ok(took < 1000, JSON.stringify(unit) + ' took ' + took.toFixed(0) + ' ms')
  }
})
