/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

/** The places of classes, looked up once for each class. */
final class Places {
  private static final ClassPlaces NONE =
      new ClassPlaces(java.util.List.of(), java.util.List.of(), null);

  private final Boundary boundary;
  private final ClassValue<ClassPlaces> ofObjects =
      new ClassValue<>() {
        @Override
        protected ClassPlaces computeValue(Class<?> type) {
          ClassPlaces found = ClassPlaces.ofObjects(type, boundary::isOpen);
          // Users' classes may be collections.
          return boundary.isOpen(type) || boundary.hasOpenContent(type) ? found : NONE;
        }
      };
  private final ClassValue<ClassPlaces> ofStatics =
      new ClassValue<>() {
        @Override
        protected ClassPlaces computeValue(Class<?> type) {
          boolean watched = boundary.isOpen(type) && !type.getName().startsWith("ai.djl.");
          return watched ? ClassPlaces.ofStatics(type) : NONE;
        }
      };

  Places(Boundary boundary) {
    this.boundary = boundary;
  }

  /** The places of a class's objects. */
  ClassPlaces ofObjects(Class<?> type) {
    return ofObjects.get(type);
  }

  /** A class's static fields. */
  ClassPlaces ofStatics(Class<?> type) {
    return ofStatics.get(type);
  }
}
