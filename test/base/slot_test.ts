// Slots against the published vectors of Redis Cluster, whose tags and tools should carry over.

import { assertEquals } from "@std/assert";
import { crc16, hashTag, slotOf } from "../../src/base/slot.ts";

Deno.test("crc16() is CRC16-XMODEM", () => {
  assertEquals(crc16("123456789"), 0x31c3);
  assertEquals(crc16(""), 0);
});

Deno.test("slotOf() agrees with CLUSTER KEYSLOT", () => {
  assertEquals(slotOf("123456789"), 12739);
  assertEquals(slotOf("foo"), 12182);
  assertEquals(slotOf("bar"), 5061);
  assertEquals(slotOf("somekey"), 11058);
  assertEquals(slotOf("foo{hash_tag}"), 2515);
  assertEquals(slotOf("bar{hash_tag}"), 2515);
});

Deno.test("hashTag() is the first complete tag, unless that is empty", () => {
  assertEquals(hashTag("{user1000}.following"), "user1000");
  assertEquals(hashTag("foo{}{bar}"), undefined);
  assertEquals(hashTag("foo{{bar}}zap"), "{bar");
  assertEquals(hashTag("foo{bar}{zap}"), "bar");
  assertEquals(hashTag("foo{bar"), undefined);
  assertEquals(hashTag("foo}bar{"), undefined);
  assertEquals(hashTag("}a{b}"), "b");
  assertEquals(slotOf("foo{}{bar}"), crc16("foo{}{bar}") % 16384);
});

Deno.test("slotOf() counts bytes above 127", () => {
  assertEquals(slotOf("\xff\x80"), crc16("\xff\x80") % 16384);
  assertEquals(crc16("\xff") === crc16("\x7f"), false);
});
