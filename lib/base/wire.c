/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

/*
 * Contracts (ACSL).  A failed getter changes nothing; a getter never reads past
 * the end; a put never writes past cap.  script/proof proves them all.
 */
/*@ predicate reader_ok(struct wire_reader *r) =
      \valid(r) && (r->left == 0 || \valid_read(r->ptr + (0 .. r->left - 1)));
    predicate unchanged{L1, L2}(struct wire_reader *r) =
      \at(r->ptr, L1) == \at(r->ptr, L2) &&
      \at(r->left, L1) == \at(r->left, L2);
    predicate advanced{L1, L2}(struct wire_reader *r, integer n) =
      \at(r->ptr, L2) == \at(r->ptr, L1) + n &&
      \at(r->left, L2) == \at(r->left, L1) - n;
*/

/*@ predicate writer_ok(struct wire_writer *w) =
      \valid(w) && w->len <= w->cap &&
      (w->cap == 0 || \valid(w->buf + (0 .. w->cap - 1))) &&
      (w->cap == 0 || \separated(w, w->buf + (0 .. w->cap - 1)));
*/

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 1;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 1;
      ensures \result && advanced{Pre, Post}(r, 1);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u8(struct wire_reader *r, uint8_t *ret)
{
    if (r->left < 1)
        return false;
    *ret = r->ptr[0];
    r->ptr += 1;
    r->left -= 1;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 2;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 2;
      ensures \result && advanced{Pre, Post}(r, 2);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u16be(struct wire_reader *r, uint16_t *ret)
{
    if (r->left < 2)
        return false;
    *ret = (uint16_t)((uint32_t)r->ptr[0] << 8 | r->ptr[1]);
    r->ptr += 2;
    r->left -= 2;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 4;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 4;
      ensures \result && advanced{Pre, Post}(r, 4);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u32be(struct wire_reader *r, uint32_t *ret)
{
    if (r->left < 4)
        return false;
    *ret = (uint32_t)r->ptr[0] << 24 | (uint32_t)r->ptr[1] << 16 |
           (uint32_t)r->ptr[2] << 8 | r->ptr[3];
    r->ptr += 4;
    r->left -= 4;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 8;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 8;
      ensures \result && advanced{Pre, Post}(r, 8);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u64be(struct wire_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    if (r->left < 8)
        return false;
    /*@ loop invariant 0 <= i <= 8;
        loop assigns i, v;
        loop variant 8 - i;
    */
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | r->ptr[i];
    *ret = v;
    r->ptr += 8;
    r->left -= 8;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 2;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 2;
      ensures \result && advanced{Pre, Post}(r, 2);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u16le(struct wire_reader *r, uint16_t *ret)
{
    if (r->left < 2)
        return false;
    *ret = (uint16_t)((uint32_t)r->ptr[1] << 8 | r->ptr[0]);
    r->ptr += 2;
    r->left -= 2;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 4;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 4;
      ensures \result && advanced{Pre, Post}(r, 4);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u32le(struct wire_reader *r, uint32_t *ret)
{
    if (r->left < 4)
        return false;
    *ret = (uint32_t)r->ptr[3] << 24 | (uint32_t)r->ptr[2] << 16 |
           (uint32_t)r->ptr[1] << 8 | r->ptr[0];
    r->ptr += 4;
    r->left -= 4;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < 8;
      ensures !\result && unchanged{Pre, Post}(r) && *ret == \old(*ret);
    behavior enough:
      assumes r->left >= 8;
      ensures \result && advanced{Pre, Post}(r, 8);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_u64le(struct wire_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    if (r->left < 8)
        return false;
    /*@ loop invariant 0 <= i <= 8;
        loop assigns i, v;
        loop variant i;
    */
    for (size_t i = 8; i > 0; i--)
        v = v << 8 | r->ptr[i - 1];
    *ret = v;
    r->ptr += 8;
    r->left -= 8;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < len;
      ensures !\result && unchanged{Pre, Post}(r);
      ensures ret->ptr == \old(ret->ptr) && ret->len == \old(ret->len);
    behavior enough:
      assumes r->left >= len;
      ensures \result && advanced{Pre, Post}(r, len);
      ensures ret->ptr == \old(r->ptr) && ret->len == len;
      ensures len == 0 || \valid_read(ret->ptr + (0 .. len - 1));
    complete behaviors; disjoint behaviors;
*/
bool wire_get_span(struct wire_reader *r, size_t len, struct span *ret)
{
    if (r->left < len)
        return false;
    ret->ptr = r->ptr;
    ret->len = len;
    r->ptr += len;
    r->left -= len;
    return true;
}

/*@ requires reader_ok(r);
    requires len == 0 || \valid(ret + (0 .. len - 1));
    requires \separated(r, ret + (0 .. len - 1));
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || len == 0 ||
      \separated(ret + (0 .. len - 1), r->ptr + (0 .. r->left - 1));
    assigns *r, ret[0 .. len - 1];
    ensures reader_ok(r);
    behavior short:
      assumes r->left < len;
      ensures !\result && unchanged{Pre, Post}(r);
      ensures \forall integer i; 0 <= i < len ==> ret[i] == \old(ret[i]);
    behavior enough:
      assumes r->left >= len;
      ensures \result && advanced{Pre, Post}(r, len);
    complete behaviors; disjoint behaviors;
*/
bool wire_get_copy(struct wire_reader *r, uint8_t *ret, size_t len)
{
    if (r->left < len)
        return false;
    /*@ loop invariant 0 <= i <= len;
        loop assigns i, ret[0 .. len - 1];
        loop variant len - i;
    */
    for (size_t i = 0; i < len; i++)
        ret[i] = r->ptr[i];
    r->ptr += len;
    r->left -= len;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    ensures !\result ==> unchanged{Pre, Post}(r) &&
      ret->ptr == \old(ret->ptr) && ret->len == \old(ret->len);
    ensures \result ==> advanced{Pre, Post}(r, 1 + ret->len) &&
      ret->ptr == \old(r->ptr) + 1;
    ensures \result && ret->len > 0 ==>
      \valid_read(ret->ptr + (0 .. ret->len - 1));
*/
bool wire_get_vec8(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 1)
        return false;
    len = r->ptr[0];
    if (r->left - 1 < len)
        return false;
    ret->ptr = r->ptr + 1;
    ret->len = len;
    r->ptr += 1 + len;
    r->left -= 1 + len;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    ensures !\result ==> unchanged{Pre, Post}(r) &&
      ret->ptr == \old(ret->ptr) && ret->len == \old(ret->len);
    ensures \result ==> advanced{Pre, Post}(r, 2 + ret->len) &&
      ret->ptr == \old(r->ptr) + 2;
    ensures \result && ret->len > 0 ==>
      \valid_read(ret->ptr + (0 .. ret->len - 1));
*/
bool wire_get_vec16be(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 2)
        return false;
    len = (size_t)r->ptr[0] << 8 | r->ptr[1];
    if (r->left - 2 < len)
        return false;
    ret->ptr = r->ptr + 2;
    ret->len = len;
    r->ptr += 2 + len;
    r->left -= 2 + len;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    ensures !\result ==> unchanged{Pre, Post}(r) &&
      ret->ptr == \old(ret->ptr) && ret->len == \old(ret->len);
    ensures \result ==> advanced{Pre, Post}(r, 4 + ret->len) &&
      ret->ptr == \old(r->ptr) + 4;
    ensures \result && ret->len > 0 ==>
      \valid_read(ret->ptr + (0 .. ret->len - 1));
*/
bool wire_get_vec32be(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 4)
        return false;
    len = (size_t)r->ptr[0] << 24 | (size_t)r->ptr[1] << 16 |
          (size_t)r->ptr[2] << 8 | r->ptr[3];
    if (r->left - 4 < len)
        return false;
    /*@ assert \valid_read(r->ptr + (0 .. 4 + len - 1)); */
    ret->ptr = r->ptr + 4;
    ret->len = len;
    r->ptr += 4 + len;
    r->left -= 4 + len;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    ensures !\result ==> unchanged{Pre, Post}(r) &&
      ret->ptr == \old(ret->ptr) && ret->len == \old(ret->len);
    ensures \result ==> advanced{Pre, Post}(r, 4 + ret->len) &&
      ret->ptr == \old(r->ptr) + 4;
    ensures \result && ret->len > 0 ==>
      \valid_read(ret->ptr + (0 .. ret->len - 1));
*/
bool wire_get_vec32le(struct wire_reader *r, struct span *ret)
{
    size_t len;

    if (r->left < 4)
        return false;
    len = (size_t)r->ptr[3] << 24 | (size_t)r->ptr[2] << 16 |
          (size_t)r->ptr[1] << 8 | r->ptr[0];
    if (r->left - 4 < len)
        return false;
    /*@ assert \valid_read(r->ptr + (0 .. 4 + len - 1)); */
    ret->ptr = r->ptr + 4;
    ret->len = len;
    r->ptr += 4 + len;
    r->left -= 4 + len;
    return true;
}

/*@ requires reader_ok(r) && \valid(ret) && \separated(r, ret);
    requires r->left == 0 || \separated(r, r->ptr + (0 .. r->left - 1));
    requires r->left == 0 || \separated(ret, r->ptr + (0 .. r->left - 1));
    assigns *r, *ret;
    ensures reader_ok(r);
    behavior short:
      assumes r->left < len;
      ensures !\result && unchanged{Pre, Post}(r);
      ensures ret->ptr == \old(ret->ptr) && ret->left == \old(ret->left);
    behavior enough:
      assumes r->left >= len;
      ensures \result && advanced{Pre, Post}(r, len);
      ensures ret->ptr == \old(r->ptr) && ret->left == len;
      ensures len == 0 || \valid_read(ret->ptr + (0 .. len - 1));
    complete behaviors; disjoint behaviors;
*/
bool wire_get_sub(struct wire_reader *r, size_t len, struct wire_reader *ret)
{
    if (r->left < len)
        return false;
    ret->ptr = r->ptr;
    ret->left = len;
    r->ptr += len;
    r->left -= len;
    return true;
}

/*@ requires \valid_read(r);
    assigns \nothing;
    ensures \result <==> r->left == 0;
*/
bool wire_end(const struct wire_reader *r)
{
    return r->left == 0;
}

/* Room for n more bytes, or the sticky flag. */
/*@ requires writer_ok(w);
    assigns w->overflow;
    ensures \result <==> !\old(w->overflow) && w->cap - w->len >= n;
    ensures !\result ==> w->overflow;
    ensures \result ==> !w->overflow;
*/
static bool wire_reserve(struct wire_writer *w, size_t n)
{
    if (w->overflow || w->cap - w->len < n) {
        w->overflow = true;
        return false;
    }
    return true;
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 1 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 1 ==>
      !w->overflow && w->len == \old(w->len) + 1;
*/
void wire_put_u8(struct wire_writer *w, uint8_t v)
{
    if (!wire_reserve(w, 1))
        return;
    w->buf[w->len] = v;
    w->len += 1;
}

/*@ requires writer_ok(w) && 1 <= n <= 8;
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < n ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= n ==>
      !w->overflow && w->len == \old(w->len) + n;
*/
static void wire_put_be(struct wire_writer *w, uint64_t v, size_t n)
{
    if (!wire_reserve(w, n))
        return;
    /*@ loop invariant 0 <= i <= n;
        loop assigns i, w->buf[w->len .. w->len + n - 1];
        loop variant n - i;
    */
    for (size_t i = 0; i < n; i++)
        w->buf[w->len + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    w->len += n;
}

/*@ requires writer_ok(w) && 1 <= n <= 8;
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < n ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= n ==>
      !w->overflow && w->len == \old(w->len) + n;
*/
static void wire_put_le(struct wire_writer *w, uint64_t v, size_t n)
{
    if (!wire_reserve(w, n))
        return;
    /*@ loop invariant 0 <= i <= n;
        loop assigns i, w->buf[w->len .. w->len + n - 1];
        loop variant n - i;
    */
    for (size_t i = 0; i < n; i++)
        w->buf[w->len + i] = (uint8_t)(v >> (8 * i));
    w->len += n;
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 2 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 2 ==>
      !w->overflow && w->len == \old(w->len) + 2;
*/
void wire_put_u16be(struct wire_writer *w, uint16_t v)
{
    wire_put_be(w, v, 2);
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 4 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 4 ==>
      !w->overflow && w->len == \old(w->len) + 4;
*/
void wire_put_u32be(struct wire_writer *w, uint32_t v)
{
    wire_put_be(w, v, 4);
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 8 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 8 ==>
      !w->overflow && w->len == \old(w->len) + 8;
*/
void wire_put_u64be(struct wire_writer *w, uint64_t v)
{
    wire_put_be(w, v, 8);
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 2 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 2 ==>
      !w->overflow && w->len == \old(w->len) + 2;
*/
void wire_put_u16le(struct wire_writer *w, uint16_t v)
{
    wire_put_le(w, v, 2);
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 4 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 4 ==>
      !w->overflow && w->len == \old(w->len) + 4;
*/
void wire_put_u32le(struct wire_writer *w, uint32_t v)
{
    wire_put_le(w, v, 4);
}

/*@ requires writer_ok(w);
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < 8 ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= 8 ==>
      !w->overflow && w->len == \old(w->len) + 8;
*/
void wire_put_u64le(struct wire_writer *w, uint64_t v)
{
    wire_put_le(w, v, 8);
}

/*@ requires writer_ok(w);
    requires len == 0 || \valid_read(ptr + (0 .. len - 1));
    requires len == 0 || \separated(w, ptr + (0 .. len - 1));
    requires len == 0 || w->cap == 0 ||
      \separated(ptr + (0 .. len - 1), w->buf + (0 .. w->cap - 1));
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures \old(w->overflow) || \old(w->cap - w->len) < len ==>
      w->overflow && w->len == \old(w->len);
    ensures !\old(w->overflow) && \old(w->cap - w->len) >= len ==>
      !w->overflow && w->len == \old(w->len) + len;
*/
void wire_put_bytes(struct wire_writer *w, const uint8_t *ptr, size_t len)
{
    if (!wire_reserve(w, len))
        return;
    /*@ loop invariant 0 <= i <= len;
        loop assigns i, w->buf[w->len .. w->len + len - 1];
        loop variant len - i;
    */
    for (size_t i = 0; i < len; i++)
        w->buf[w->len + i] = ptr[i];
    w->len += len;
}

/*@ requires writer_ok(w);
    requires s.len == 0 || \valid_read(s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || \separated(w, s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || w->cap == 0 ||
      \separated(s.ptr + (0 .. s.len - 1), w->buf + (0 .. w->cap - 1));
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures !w->overflow ==> w->len == \old(w->len) + 1 + s.len;
*/
void wire_put_vec8(struct wire_writer *w, struct span s)
{
    if (s.len > UINT8_MAX)
        w->overflow = true;
    wire_put_u8(w, (uint8_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

/*@ requires writer_ok(w);
    requires s.len == 0 || \valid_read(s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || \separated(w, s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || w->cap == 0 ||
      \separated(s.ptr + (0 .. s.len - 1), w->buf + (0 .. w->cap - 1));
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures !w->overflow ==> w->len == \old(w->len) + 2 + s.len;
*/
void wire_put_vec16be(struct wire_writer *w, struct span s)
{
    if (s.len > UINT16_MAX)
        w->overflow = true;
    wire_put_u16be(w, (uint16_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

/*@ requires writer_ok(w);
    requires s.len == 0 || \valid_read(s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || \separated(w, s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || w->cap == 0 ||
      \separated(s.ptr + (0 .. s.len - 1), w->buf + (0 .. w->cap - 1));
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures !w->overflow ==> w->len == \old(w->len) + 4 + s.len;
*/
void wire_put_vec32be(struct wire_writer *w, struct span s)
{
    if (s.len > UINT32_MAX)
        w->overflow = true;
    wire_put_u32be(w, (uint32_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

/*@ requires writer_ok(w);
    requires s.len == 0 || \valid_read(s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || \separated(w, s.ptr + (0 .. s.len - 1));
    requires s.len == 0 || w->cap == 0 ||
      \separated(s.ptr + (0 .. s.len - 1), w->buf + (0 .. w->cap - 1));
    assigns w->len, w->overflow, w->buf[w->len .. w->cap - 1];
    ensures writer_ok(w) && w->buf == \old(w->buf) && w->cap == \old(w->cap);
    ensures !w->overflow ==> w->len == \old(w->len) + 4 + s.len;
*/
void wire_put_vec32le(struct wire_writer *w, struct span s)
{
    if (s.len > UINT32_MAX)
        w->overflow = true;
    wire_put_u32le(w, (uint32_t)s.len);
    wire_put_bytes(w, s.ptr, s.len);
}

/*@ requires \valid_read(w) && \valid(ret) && \separated(w, ret);
    assigns *ret;
    ensures \result <==> !w->overflow;
    ensures \result ==> ret->ptr == w->buf && ret->len == w->len;
    ensures !\result ==> ret->ptr == \old(ret->ptr) &&
      ret->len == \old(ret->len);
*/
bool wire_finish(const struct wire_writer *w, struct span *ret)
{
    if (w->overflow)
        return false;
    ret->ptr = w->buf;
    ret->len = w->len;
    return true;
}
