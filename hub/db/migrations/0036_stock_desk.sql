-- What is still to be packed in the whole shop, as its operators see it.
CREATE INDEX assembly_open ON assembly (shop_id, id) WHERE status = 'open';
