"""What ``schema`` must find in a ledger's schema, a line each, sorted: the literal outcome of what it makes.

Not derived from the statements that make it, so that it does not change with them: who changes a table changes this, and
the schema's version.
"""

from __future__ import annotations

_ALWAYS = """
column ledger_body.body bytea not null
column ledger_body.position bigint not null
column ledger_body.salt bytea not null
column ledger_cipher.key text not null collate C
column ledger_cipher.position bigint not null
column ledger_cipher.sealed bytea not null
column ledger_head.frontier bytea not null
column ledger_head.id integer not null
column ledger_head.marks text not null collate C
column ledger_head.recorded text collate C
column ledger_head.size bigint not null
column ledger_key.key text not null collate C
column ledger_key.position bigint not null
column ledger_mark.mark bigint not null
column ledger_mark.position bigint not null
column ledger_node.hash bytea not null
column ledger_node.height smallint not null
column ledger_node.number bigint not null
column ledger_registry.position bigint not null
column ledger_setting.name text not null collate C
column ledger_setting.value text not null collate C
column stored_events.leaf_hash bytea not null
column stored_events.notification_id bigint not null
column stored_events.originator_id text not null collate C
column stored_events.originator_version bigint not null
column stored_events.state bytea not null
column stored_events.topic text not null collate C
constraint ledger_body p position
constraint ledger_cipher p position
constraint ledger_head p id
constraint ledger_key p key
constraint ledger_mark p mark, position
constraint ledger_node CHECK (((height >= 4) AND (((height)::integer % 4) = 0)))
constraint ledger_node CHECK ((number >= 0))
constraint ledger_node CHECK ((octet_length(hash) = 32))
constraint ledger_node p height, number
constraint ledger_registry p position
constraint ledger_setting p name
constraint stored_events p notification_id
constraint stored_events u originator_id, originator_version
function ledger_refuse a33cb26d51fbdfe6513a5a223cdd3f622abe206c31bab57d2ce9e617b04e667a
index ledger_body ledger_body_pkey unique
index ledger_cipher ledger_cipher_pkey unique
index ledger_head ledger_head_pkey unique
index ledger_key ledger_key_pkey unique
index ledger_mark ledger_mark_pkey unique
index ledger_node ledger_node_pkey unique
index ledger_registry ledger_registry_pkey unique
index ledger_setting ledger_setting_pkey unique
index stored_events stored_events_originator_id_originator_version_key unique
index stored_events stored_events_pkey unique
table ledger_body
table ledger_cipher
table ledger_head
table ledger_key
table ledger_mark
table ledger_node
table ledger_registry
table ledger_setting
table stored_events
trigger ledger_head_refuse on ledger_head 42 A ledger_refuse
trigger ledger_key_refuse on ledger_key 58 A ledger_refuse
trigger ledger_mark_refuse on ledger_mark 58 A ledger_refuse
trigger ledger_node_refuse on ledger_node 58 A ledger_refuse
trigger ledger_registry_refuse on ledger_registry 58 A ledger_refuse
trigger stored_events_refuse on stored_events 58 A ledger_refuse
"""
_IN_1 = """
constraint ledger_body CHECK ((octet_length(salt) = 32))
constraint ledger_head CHECK ((id = 1))
constraint ledger_head CHECK ((size >= 0))
constraint stored_events CHECK ((notification_id >= 1))
constraint stored_events CHECK ((octet_length(leaf_hash) = 32))
constraint stored_events CHECK ((originator_version >= 1))
function ledger_grow 2b02c24b2b69f34f9e5a5383d52f27274a47f3d1fcb115efdb93265203606a83
trigger ledger_head_grow on ledger_head 19 A ledger_grow
"""
_IN_2 = """
function ledger_grow a050dff1e14f14d518864ea81c4a7a44871c515b407c24e1b2660e1b62007541
trigger ledger_head_grow on ledger_head 19 A ledger_grow when (((new.id <> old.id) OR (new.size < old.size)))
trigger ledger_head_one on ledger_head 6 A ledger_grow
"""

#: By version of the schema. A ledger of version 1 stays as it is, and is written to like any other: its checks cost an
#: append some time, and find nothing that an audit does not.
EXPECTED = {
    version: tuple(filter(None, (_ALWAYS + only).split("\n"))) for version, only in ((1, _IN_1), (2, _IN_2))
}
