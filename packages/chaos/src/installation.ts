import type { Settings as AgentSettings } from '@vibe/hibernator-worker/settings';

/** What every process of a history is set to. Two sessions a user: the quota is met often. */
export const REGISTRY = 'registry:5000';
export const LOGIN = { username: 'vibe', password: 'of-the-histories' } as const;
export const NODES = ['manager', 'worker1', 'worker2'] as const;
export type NodeName = (typeof NODES)[number];
export const USERS = ['ann', 'bob'] as const;
export const SESSIONS_PER_USER = 2;
export const IDLE_MS = 2 * 3_600_000;
export const TTL_MS = 7 * 86_400_000;

export const agentSettings: Omit<AgentSettings, 'HOST_PROC'> = {
  PORT: 0,
  LOG_LEVEL: 'error',
  VIBE_FAILPOINTS: '',
  REDIS_URL: '',
  DOCKER_SOCKET: '',
  REGISTRY_SERVICE: 'vibe-state_registry',
  REGISTRY_URL: REGISTRY,
  REGISTRY_LOGIN_FILE: LOGIN,
  REGISTRY_CA_FILE: '',
  TTYD_KEY_FILE: 'key-of-the-histories',
  BASE_IMAGE: `${REGISTRY}/vibe-terminal:base`,
  OVERLAY_NETWORK: 'vibe-overlay',
  SESSION_CONSTRAINT: 'node.role==worker',
  SESSION_MEMORY_LIMIT_MIB: 2048,
  SESSION_MEMORY_RESERVED_MIB: 512,
  SESSION_CPU_LIMIT: 1,
  SESSION_PIDS_LIMIT: 512,
  SESSION_EGRESS_ALLOW: [],
  STARTS_IN_FLIGHT_PER_NODE: 4,
  HIBERNATIONS_PER_NODE: 2,
  IDLE_TIMEOUT_MINUTES: IDLE_MS / 60_000,
  IDLE_CPU_PERCENT: 5,
  HIBERNATED_TTL_DAYS: TTL_MS / 86_400_000,
};

export const reaperSettings = {
  REGISTRY_URL: REGISTRY,
  BASE_IMAGE: agentSettings.BASE_IMAGE,
  IDLE_TIMEOUT_MINUTES: agentSettings.IDLE_TIMEOUT_MINUTES,
  HIBERNATED_TTL_DAYS: agentSettings.HIBERNATED_TTL_DAYS,
  HIBERNATIONS_PER_NODE: agentSettings.HIBERNATIONS_PER_NODE,
  REGISTRY_COLLECT_HOURS: 0,
};

export const apiSettings = {
  BASE_IMAGE: agentSettings.BASE_IMAGE,
  MAX_SESSIONS_PER_USER: SESSIONS_PER_USER,
  IDLE_TIMEOUT_MINUTES: agentSettings.IDLE_TIMEOUT_MINUTES,
  HIBERNATED_TTL_DAYS: agentSettings.HIBERNATED_TTL_DAYS,
  SESSION_CONSTRAINT: agentSettings.SESSION_CONSTRAINT,
  SESSION_MEMORY_RESERVED_MIB: agentSettings.SESSION_MEMORY_RESERVED_MIB,
  SESSIONS_PER_NODE_MAX: 300,
  TTYD_KEY_FILE: agentSettings.TTYD_KEY_FILE,
  VIBE_PUBLIC_HOST: 'vibe.example',
};
