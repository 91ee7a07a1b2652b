import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resourceOf } from './resource.ts'

test('attributes of the environment, percent-decoded; malformed ones are left out', () => {
  assert.deepEqual(resourceOf({ OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod, team=a%2Cb ,=x,broken,bad=%zz', OTEL_SERVICE_NAME: 'fleet' }), {
    'deployment.environment.name': 'prod',
    team: 'a,b',
    'service.name': 'fleet',
  })
  assert.deepEqual(resourceOf({}), {})
})
