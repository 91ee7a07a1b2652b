import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostNow, type ProbeHost, probeHost, READ_KERNEL } from './probe.ts'

const ROOT = 'Name:\tnode\nCapEff:\t000001ffffffffff\n'
const LOADS = () => 0
// libbpf itself may be missing where the tests run: any library that has no such function would do as well to be told apart, so it is looked at last.
const host = (over: Partial<ProbeHost>): ProbeHost =>
  hostNow({ status: ROOT, release: '6.1.0-56-amd64', arch: 'x64', btf: '/proc/self/status', lockdown: '', tryLoad: LOADS, ...over })

function refusal(over: Partial<ProbeHost>) {
  const probed = probeHost(host(over))
  assert.equal(probed.ok, false)
  assert.ok(!probed.ok)
  for (const part of [probed.unavailable, probed.why, probed.mend]) assert.ok(part.length > 0 && !part.endsWith('.') && !part.includes('\n'), part)
  return probed
}

test('a host without /proc, of another architecture, or with an old kernel is told so', () => {
  assert.match(refusal({ status: '' }).why, /not Linux/)
  assert.match(refusal({ arch: 'riscv64' }).why, /riscv64/)
  assert.match(refusal({ release: '5.13.0-1' }).why, /Linux 5\.13\.0-1.*5\.14/)
  assert.match(refusal({ release: '4.18.0-553.el8' }).why, /5\.14/)
})

test('without root the missing capabilities are named', () => {
  assert.match(refusal({ status: 'CapEff:\t0000000000000000\n' }).why, /CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE/)
  assert.match(refusal({ status: 'CapEff:\t0000000000000000\n' }).mend, /sudo/)
  // CAP_BPF 39, CAP_PERFMON 38, CAP_SYS_PTRACE 19; then CAP_SYS_ADMIN 21 instead of the first two.
  assert.match(refusal({ status: 'CapEff:\t000000c000080000\n' }).why, /lacks CAP_DAC_READ_SEARCH$/)
  assert.match(refusal({ status: 'CapEff:\t0000000000200004\n' }).why, /lacks CAP_SYS_PTRACE$/)
})

test('a kernel without type information is told so, with the path', () => {
  const probed = refusal({ btf: '/nowhere/vmlinux' })
  assert.match(probed.why, /\/nowhere\/vmlinux/)
  assert.match(probed.mend, /CONFIG_DEBUG_INFO_BTF/)
})

test('without libbpf the package is named for each distribution', () => {
  const probed = refusal({ library: 'libbpf-of-nobody.so.1' })
  assert.match(probed.why, /libbpf-of-nobody\.so\.1/)
  for (const name of ['apt install libbpf1', 'dnf install libbpf', 'pacman -S libbpf']) assert.ok(probed.mend.includes(name), name)
})

const noLibrary = (() => {
  const probed = probeHost(host({}))
  return probed.ok ? false : probed.why
})()

test('lockdown is told from other refusals', { skip: noLibrary }, () => {
  assert.match(refusal({ lockdown: 'none integrity [confidentiality]\n' }).why, /locked down/)
  assert.equal(probeHost(host({ lockdown: 'none [integrity] confidentiality\n' })).ok, true)
  const noReading = refusal({ tryLoad: (_lib, program) => (program === READ_KERNEL ? -22 : 0) })
  assert.match(noReading.why, /read kernel memory.*EINVAL/)
  assert.match(noReading.mend, /lockdown/)
  const nothing = refusal({ tryLoad: () => -1 })
  assert.match(nothing.why, /EPERM/)
  assert.match(nothing.mend, /container/)
})

test('the probe changes nothing and says what start would mount', { skip: noLibrary }, () => {
  const probed = probeHost(host({}))
  assert.ok(probed.ok)
  assert.equal(probed.rung, 'linux-ebpf')
  for (const note of probed.notes) assert.match(note, /start mounts it/)
})
