// SPDX-License-Identifier: MIT
// What Node's HTTP parser (llhttp, in its strict mode) makes of the requests of
// a batch; input and output as those of http_parse_cli -b.
'use strict';
const { HTTPParser, methods, allMethods } = require('_http_common');
const fs = require('fs');

const names = allMethods || methods;
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

function parse(input) {
    const out = { head: null, end: 'more' };
    const parser = new HTTPParser();
    parser.initialize(HTTPParser.REQUEST, {});
    let headers = [], url = '', body = [];
    parser[HTTPParser.kOnHeaders | 0] = (list, part) => {
        headers = headers.concat(list);
        url += part;
    };
    parser[HTTPParser.kOnHeadersComplete | 0] =
        (major, minor, list, method, target, code, text, upgrade, keep) => {
            if (out.head)
                return 0;
            headers = headers.concat(list || []);
            const pairs = [];
            for (let i = 0; i < headers.length; i += 2)
                pairs.push([hex(headers[i]), hex(headers[i + 1])]);
            out.head = {
                method: hex(names[method]), target: hex(url + (target || '')),
                minor, keep, headers: pairs,
            };
            if (upgrade)
                out.upgrade = true;
            return 0;
        };
    parser[HTTPParser.kOnBody | 0] = (chunk, from, length) => {
        body.push(from === undefined ? chunk
            : chunk.subarray(from, from + length));
    };
    let done = false;
    parser[HTTPParser.kOnMessageComplete | 0] = () => { done = true; };
    // Byte by byte, to learn where the request ended.
    for (let i = 0; i < input.length && !done; i++) {
        const rc = parser.execute(Buffer.from([input[i]]));
        if (rc instanceof Error) {
            out.end = 'bad';
            out.why = rc.reason || rc.code;
            break;
        }
        out.used = i + 1;
    }
    if (done)
        out.end = 'done';
    out.body = Buffer.concat(body).toString('hex');
    return out;
}

const all = fs.readFileSync(0);
const lines = [];
for (let at = 0; at < all.length;) {
    const n = all.readUInt32BE(at);
    lines.push(JSON.stringify(parse(all.subarray(at + 4, at + 4 + n))));
    at += 4 + n;
}
process.stdout.write(lines.join('\n') + '\n');
