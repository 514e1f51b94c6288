// AeS as somebody else would write it: panva's certified oidc-provider in the shape of Keycloak's realm `default`.
//
//   PKI=<folder with server.key, server.crt> [PORT=0] [AT_TTL=300] [RT_TTL=1800] [AT_FORMAT=opaque] [FORGED=id_token|access_token]
//   [ISS=silent|missing|other] node oidc-provider.mjs
//
// Prints `ready <issuer>` once it answers, then a line for every request that counts: `token <grant type> <status> <error>`, `certs`.
// Ends when its standard input is closed, so that it never outlives the test that started it. Lines written there are orders, each
// answered by `done <order>` after everything said before: `pause` does nothing, `lose` cuts the line after the next token request was
// processed, `rotate` signs with a new key that is published beside the old one, `retire` takes the old one off the list.
//
// FORGED signs that kind of token with a key that is not in the key set. ISS: the way back does not name the issuer, as discovery says
// (silent) or against what it says (missing), or names another one (other).
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { Provider, errors } from 'oidc-provider';

const { PKI, PORT = '0', AT_TTL = '300', RT_TTL = '1800', AT_FORMAT = 'jwt', FORGED = '', ISS = '' } = process.env;
const PREFIX = '/auth/realms/default';
const AUDIENCE = 'https://eadmin.lu/';
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const SCOPE = 'openid profile email';

// The same fictitious people as in the sandbox, and a secretary of one physician alone.
const weber = { eHealthId: '1900000001', name: 'Dr Anne Weber', providerCodes: ['90000101'] };
const muller = { eHealthId: '1900000002', name: 'Dr Luc Muller', providerCodes: ['90000102'] };
const people = new Map(
  Object.entries({
    'dr.weber': weber,
    'dr.muller': muller,
    'dr.schmit': { eHealthId: '1900000004', name: 'Dr Josée Schmit', providerCodes: ['90000104'], actsFor: [weber] },
    'sec.klein': { name: 'Claire Klein', actsFor: [weber, muller] },
    'sec.thill': { name: 'Marc Thill', actsFor: [weber] },
  }),
);
const login = (id) => (people.has(id) ? id : [...people].find(([, person]) => person.eHealthId === id)?.[0]);
const claimsOf = (id) => ({ sub: id, preferred_username: id, ...people.get(id) });

const server = https.createServer({
  key: fs.readFileSync(`${PKI}/server.key`),
  cert: fs.readFileSync(`${PKI}/server.crt`),
});
server.listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
const issuer = `https://localhost:${server.address().port}${PREFIX}`;

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const signingKey = { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'k1' };
const { privateKey: foreignKey } = await generateKeyPair('RS256');

const resourceServer = () => ({
  scope: SCOPE,
  audience: AUDIENCE,
  accessTokenTTL: Number(AT_TTL),
  accessTokenFormat: AT_FORMAT,
  ...(AT_FORMAT === 'jwt' ? { jwt: { sign: { alg: 'RS256' } } } : {}),
});

const provider = new Provider(issuer, {
  jwks: { keys: [signingKey] },
  clients: [
    {
      client_id: 'econnector',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    },
    {
      client_id: 'hopital-eai',
      client_secret: 's3cr3t',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: [TOKEN_EXCHANGE],
      response_types: [],
      redirect_uris: [],
    },
    {
      client_id: 'other-eai',
      client_secret: 's3cr3t2',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: [TOKEN_EXCHANGE],
      response_types: [],
      redirect_uris: [],
    },
  ],
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  claims: { openid: ['sub'], profile: ['preferred_username', 'name', 'eHealthId', 'providerCodes', 'actsFor'], email: [] },
  conformIdTokenClaims: false,
  // Keycloak says `JWT` where RFC 9068 says `at+jwt`.
  formats: { customizers: { jwt: (_ctx, _token, jwt) => void (jwt.header = { ...jwt.header, typ: 'JWT' }) } },
  async findAccount(_ctx, id) {
    const accountId = login(id);
    return accountId && { accountId, claims: async () => claimsOf(accountId) };
  },
  async extraTokenClaims(ctx, token) {
    const id = token.accountId && login(token.accountId);
    return {
      typ: 'Bearer',
      ...(id ? claimsOf(id) : {}),
      ...(token.extra?.act ? { act: token.extra.act } : {}),
      ...(ctx.oidc?.client ? { azp: ctx.oidc.client.clientId } : {}),
    };
  },
  rotateRefreshToken: true,
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: () => true },
  ttl: {
    AccessToken: Number(AT_TTL),
    RefreshToken: Number(RT_TTL),
    IdToken: 300,
    Grant: 86400,
    Session: 86400,
    Interaction: 600,
  },
  routes: {
    authorization: '/protocol/openid-connect/auth',
    token: '/protocol/openid-connect/token',
    userinfo: '/protocol/openid-connect/userinfo',
    jwks: '/protocol/openid-connect/certs',
    end_session: '/protocol/openid-connect/logout',
    revocation: '/protocol/openid-connect/revoke',
  },
  cookies: { keys: [crypto.randomBytes(16).toString('hex')] },
  clientAuthMethods: ['none', 'client_secret_post'],
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: resourceServer,
    },
  },
});

// What Keycloak answers to a client without the right and for an unknown professional alike.
const notAllowed = () =>
  Object.assign(new errors.AccessDenied('Client not allowed to exchange'), { status: 403, statusCode: 403, expose: true });

async function exchange(ctx) {
  const { params, client } = ctx.oidc;
  if (client.clientId !== 'hopital-eai') throw notAllowed();
  const accountId = params.requested_subject && login(params.requested_subject);
  if (!accountId) throw notAllowed();
  const grant = new provider.Grant({ clientId: client.clientId, accountId });
  grant.addOIDCScope(SCOPE);
  grant.addResourceScope(AUDIENCE, 'profile email');
  const token = new provider.AccessToken({
    accountId,
    client,
    grantId: await grant.save(),
    gty: 'token_exchange',
    scope: 'profile email',
    extra: { act: { sub: client.clientId } },
  });
  token.resourceServer = new provider.ResourceServer(AUDIENCE, {
    ...resourceServer(),
    audience: params.audience ?? AUDIENCE,
  });
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope: token.scope,
  };
}
provider.registerGrantType(
  TOKEN_EXCHANGE,
  exchange,
  ['audience', 'requested_subject', 'requested_token_type', 'subject_token', 'subject_token_type', 'scope'],
  ['audience'],
);

const claimsIn = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
const sign = (claims, key, kid) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(key);
const leftHalf = (token) => crypto.createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');

// The same claims under a key nobody published.
if (FORGED) {
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'token' && ctx.body?.[FORGED]) {
      ctx.body = { ...ctx.body, [FORGED]: await sign(claimsIn(ctx.body[FORGED]), foreignKey, 'k1') };
    }
  });
}

// Rotation: the library's keys are fixed at its start, so what it signed is signed once more, and its list is completed.
const later = { privateKey: null, published: [] };
let retired = false;
provider.use(async (ctx, next) => {
  await next();
  if (later.privateKey && ctx.oidc?.route === 'token' && ctx.body?.access_token) {
    const access = await sign(claimsIn(ctx.body.access_token), later.privateKey, 'k2');
    const id = ctx.body.id_token && claimsIn(ctx.body.id_token);
    if (id?.at_hash) id.at_hash = leftHalf(access);
    ctx.body = { ...ctx.body, access_token: access, ...(id ? { id_token: await sign(id, later.privateKey, 'k2') } : {}) };
  }
  if (ctx.oidc?.route === 'jwks') {
    console.log('certs');
    ctx.body = { keys: [...(retired ? [] : ctx.body.keys), ...later.published] };
  }
});

if (ISS) {
  provider.use(async (ctx, next) => {
    await next();
    if (ISS === 'silent' && ctx.oidc?.route === 'discovery') delete ctx.body.authorization_response_iss_parameter_supported;
    const back = ctx.response.get('location') ?? '';
    if (back.startsWith('http://127.0.0.1:')) {
      const url = new URL(back);
      if (ISS === 'other') url.searchParams.set('iss', 'https://localhost:1/auth/realms/default');
      else url.searchParams.delete('iss');
      ctx.set('location', url.href);
    }
  });
}

let lost = 0;
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route !== 'token') return;
  console.log(`token ${ctx.oidc.params?.grant_type ?? '-'} ${ctx.status} ${ctx.body?.error ?? '-'}`);
  if (lost > 0) {
    lost -= 1;
    ctx.respond = false;
    ctx.req.socket.destroy();
  }
});

const handle = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith(PREFIX)) {
    response.statusCode = 404;
    response.end();
    return;
  }
  // Mounted below a path: oidc-provider reads the full one from `originalUrl`.
  request.originalUrl = request.url;
  request.url = request.url.slice(PREFIX.length) || '/';
  handle(request, response);
});

const orders = {
  pause: () => undefined,
  lose: () => (lost += 1),
  async rotate() {
    const made = await generateKeyPair('RS256', { extractable: true });
    const { n, e, kty } = await exportJWK(made.publicKey);
    later.published = [{ n, e, kty, alg: 'RS256', use: 'sig', kid: 'k2' }];
    later.privateKey = made.privateKey;
  },
  retire: () => (retired = true),
};
readline
  .createInterface({ input: process.stdin })
  .on('line', async (order) => {
    await orders[order]();
    console.log(`done ${order}`);
  })
  .on('close', () => process.exit(0));
console.log(`ready ${issuer}`);
