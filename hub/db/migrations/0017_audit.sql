-- Who did what, from where: written in the transaction of what was done. Only ever added to; months go as whole
-- partitions. shop_id is null where it concerns the whole hub. actor: key, cli or system; actor_name: the
-- beginning of the key, or who sat at the machine. object: an id or a name of the hub's, never an address.
CREATE TABLE audit (
    id          uuid NOT NULL PRIMARY KEY,
    shop_id     smallint,
    actor       text NOT NULL,
    actor_id    uuid,
    actor_name  text NOT NULL DEFAULT '',
    action      text NOT NULL,
    object      text NOT NULL DEFAULT '',
    detail      jsonb NOT NULL DEFAULT '{}',
    request_id  text NOT NULL DEFAULT '',
    remote      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE INDEX audit_shop ON audit (shop_id, id);
CREATE INDEX audit_action ON audit (shop_id, action, id);
CREATE INDEX audit_object ON audit (shop_id, object, id) WHERE object <> '';
CREATE INDEX audit_actor ON audit (shop_id, actor_id, id) WHERE actor_id IS NOT NULL;

CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to();
