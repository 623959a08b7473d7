<?php
/** Address and secret of the source, as the hub named them when it was made. */

return [
    'url' => '',
    'secret' => '',
    // Tell of the site's users, too.
    'customers' => true,
    // Codes of the basket's properties that hold a product's article; the first that is there counts.
    'article' => ['ARTNUMBER', 'CML2_ARTICLE', 'ARTICLE'],
];
