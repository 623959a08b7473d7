<?php
/** Which of the shop's hooks this add-on listens to; what they do is in func.php. */

defined('BOOTSTRAP') or die('Access denied');

fn_register_hooks(
    'place_order',
    'change_order_status_post',
    'create_shipment_post',
    'update_profile',
    'update_product_post'
);
