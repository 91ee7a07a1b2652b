#!/usr/bin/env node
'use strict'
const launcher = require('./launch.cjs')
launcher.launch([launcher.MAIN].concat(process.argv.slice(2)))
