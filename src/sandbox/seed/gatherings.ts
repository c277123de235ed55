import type { Draft } from './draft.ts';
import { DISCIPLINES } from './words.ts';

/** Where members meet: events, rsvps, training sessions, attendance. */

export function event(draft: Draft): object {
  const { dice } = draft;
  const deleted = dice.chance(0.05);
  const { place } = draft.person(dice.below(1000));
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    title: draft.title(),
    description: draft.prose(800, 7000),
    event_type: dice.pick([
      'seminar',
      'tournament',
      'live_training',
      'grading',
      'camp',
      'social',
      'meeting',
      'other',
    ]),
    visibility: dice.pick(['public', 'members_only', 'invite_only']),
    status: dice.pick(['draft', 'published', 'published', 'canceled']),
    start_date: draft.day(0, 90),
    end_date: draft.day(90, 5),
    timezone: dice.pick(['America/Los_Angeles', 'Europe/Zurich', 'Asia/Tokyo']),
    location: draft.maybe(0.8, () => draft.title()),
    city: place.city,
    country: place.country,
    is_online: dice.chance(0.3),
    capacity: draft.maybe(0.7, () => 10 * (1 + dice.below(40))),
    price: draft.maybe(0.6, () => draft.amount(250)),
    organizer_id: draft.reference('users'),
    instructors: draft.references('users', 3),
    gallery_urls: Array.from(
      { length: dice.below(4) },
      () => `https://media.example.org/${draft.hex(16)}.webp`,
    ),
    is_deleted: deleted,
    deleted_at: deleted ? draft.later() : null,
    deleted_by: deleted ? draft.reference('users') : null,
    metadata: dice.chance(0.3) ? { sponsor: draft.title(), tags: draft.disciplines() } : {},
  };
}

export function rsvp(draft: Draft): object {
  const { dice } = draft;
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    event_id: draft.reference('events'),
    user_id: draft.reference('users'),
    status: dice.pick(['pending', 'confirmed', 'confirmed', 'declined', 'waitlist', 'canceled']),
    guests_count: dice.below(3),
    notes: draft.maybe(0.3, () => draft.prose(20, 160)),
    responded_at: draft.maybe(0.8, () => draft.later()),
    checked_in_at: draft.maybe(0.3, () => draft.later()),
    reminder_sent: dice.chance(0.5),
  };
}

export function trainingSession(draft: Draft): object {
  const { dice } = draft;
  const recorded = dice.chance(0.6);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    event_id: draft.maybe(0.7, () => draft.reference('events')),
    title: draft.title(),
    description: draft.prose(200, 900),
    instructor_id: draft.reference('users'),
    session_date: draft.day(0, 30),
    duration_minutes: 15 * (2 + dice.below(7)),
    session_status: dice.pick(['scheduled', 'live', 'ended', 'ended', 'canceled']),
    discipline: dice.pick(DISCIPLINES),
    topics: Array.from({ length: 1 + dice.below(4) }, () => draft.title()),
    cloudflare_room_id: draft.maybe(0.8, () => draft.hex(32)),
    cloudflare_stream_id: draft.maybe(0.6, () => draft.hex(32)),
    recording_status: recorded ? 'ready' : 'not_recorded',
    recording_duration_seconds: recorded ? dice.below(7200) : null,
    recording_started_at: recorded ? draft.later() : null,
    vod_stream_url: recorded ? `https://stream.example.org/${draft.hex(32)}/manifest.m3u8` : null,
    chat_recording_url: draft.maybe(0.3, () => `https://media.example.org/chats/${draft.id}.json`),
    attendance_count: dice.below(60),
    view_count: dice.below(5000),
  };
}

export function sessionAttendance(draft: Draft): object {
  const { dice } = draft;
  const joined = draft.maybe(0.9, () => draft.later());
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    session_id: draft.reference('training_sessions'),
    user_id: draft.reference('users'),
    joined_at: joined,
    left_at: joined && draft.maybe(0.9, () => draft.later()),
    watch_time_seconds: joined === null ? 0 : dice.below(5400),
    notes: draft.maybe(0.1, () => draft.prose(20, 120)),
  };
}
